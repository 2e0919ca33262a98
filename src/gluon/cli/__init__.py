"""`protonclient`: the command line, made from the schema that the server serves.

Belongs here: words in, a call of `gluon.sdk`, a table or JSON out, an exit code.  Does not belong
here: HTTP (`gluon.sdk`), and checks of attribute values beyond their JSON type (the server makes
them, so that there is one truth).  Starting must stay quick.
"""
