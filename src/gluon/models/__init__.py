"""The shipped models, and the catalog that finds models and reads their files.

Belongs here: YAML, and which files make up which proton.  Does not belong here: what a model
may say (`gluon.schema`).

`base.yaml` is for import; every folder with an `api.yaml` is one proton.
"""
