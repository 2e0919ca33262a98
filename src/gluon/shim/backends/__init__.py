"""The shipped backends, each loaded through the entry point that any vendor's uses.

Belongs here: code that knows one SDN controller.  Does not belong here: whatever the shim's core
would have to import.
"""
