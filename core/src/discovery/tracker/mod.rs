//! What is said to trackers: HTTP (BEP 3, 7, 23) and UDP (BEP 15, 41).
