-- Small states by the beginning of their key. Keys may be longer than an index takes.
CREATE INDEX states_begin ON states(left(key, 200));
