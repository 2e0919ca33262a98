"""The loop: keys are fed in, planned, applied at the backend, recorded, and tried again.

    term        one term of leadership: load, follow, reconcile, end
    feed        etcd's events -> validated objects in the state
    queue       which key is due, each once, one worker a key at a time
    reconciler  the loop itself
    calls       one callback: thread or coroutine, timeout, checked answer
    recorder    applied records and answers -> etcd, batched and fenced

Belongs here: time, concurrency, etcd.  Does not belong here: rules (`plan`).
"""
