"""One term of leadership: load, follow etcd, reconcile, look after the SDN controller, end.

    term        the whole of it
    loading     its beginning: the books, brought to what is known
    takeover    what a living shim knows, carried into another etcd            pure
    following   ranges of keys in etcd, each by a mirror
    feed        etcd's events -> validated objects in the state
    epochs      which filling of etcd this is, and what may be deleted because of it
    brake       holds deletions back until an operator accepts them
    audit       what the SDN controller holds, compared and mended
    requests    what operators ask for
    describing  what `/status/<controller>` says of the controller
    late        calls that end after their term
    overview    the term in numbers, for `/status` and the metrics

Belongs here: what begins and ends with the leadership.  Does not belong here: the loop (`reconcile`).
"""
