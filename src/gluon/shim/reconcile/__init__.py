"""The loop: objects are fed in, planned, applied at the backend, recorded, and tried again.

    term          one term of leadership: load, follow, reconcile, end
    loading       the beginning of a term: the books, brought to what is known
    takeover      what a living shim knows, carried into another etcd            pure
    following     ranges of keys in etcd, each by a mirror
    feed          etcd's events -> validated objects in the state
    queue         which object is due, each once, one worker an object at a time
    reconciler    the loop itself
    attempts      what was tried, and when to try again
    calls         one callback: thread or coroutine, timeout, checked answer
    recorder      applied records and answers -> etcd, batched and fenced
    statuses      what this controller says of objects -> etcd
    troubles      failures in the log, a line for each trouble
    late          calls that end after their term
    epochs        which filling of etcd this is, and what may be deleted because of it
    brake         holds deletions back until an operator accepts them
    audit         what the SDN controller holds, compared and mended
    requests      what operators ask for

Belongs here: time, concurrency, etcd.  Does not belong here: rules (`plan`).
"""
