_C_API: object  # a capsule: see include/kroncy.h
