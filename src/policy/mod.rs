//! The policy: file, language, check, route, sample, explain. Pure.
