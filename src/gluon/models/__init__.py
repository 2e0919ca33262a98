"""The shipped models, and the catalog that finds models and reads their files.

Belongs here: the model files, and the rules by which they are found.  Does not belong here: the
modelling language (`gluon.schema`).

`base.yaml` is there to be imported; every folder with an `api.yaml` is one proton.
"""
