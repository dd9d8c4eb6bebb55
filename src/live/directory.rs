//! The database that says who lives where: hold, flip, release, and the lease that allows them.
