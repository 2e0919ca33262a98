"""The loop: what is due is planned, claimed, applied at the backend, recorded, and tried again.

    queue         which object is due, each once, one worker an object at a time
    reconciler    the loop itself
    attempts      what was tried, and when to try again
    recorder      applied records and answers -> etcd, batched and fenced
    statuses      what this controller says of objects -> etcd
    troubles      failures in the log, a line for each trouble

Belongs here: time, concurrency.  Does not belong here: rules (`plan`), how a callback is made (`calls`),
what begins and ends with the leadership (`terms`).
"""
