"""Programs that know where their time went, and the profilers that have to find it out.

``bench_truth.py`` runs it all: ``mixed`` and ``bursty`` are the programs, ``target`` runs one of
them in a process of its own, ``inside`` and ``outside`` are the profilers, ``seen`` what they
found, ``figures`` how far that is from the truth.
"""
