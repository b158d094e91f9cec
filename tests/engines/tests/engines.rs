//! That the servers start, break and end as tests need it.

use std::{net::TcpStream, path::Path};

use parlour_engines::{Postgres, Redis, skip};

#[test]
fn the_shared_server_gives_everybody_a_database_of_his_own() {
    let Some(one) = Postgres::shared().unwrap() else {
        return skip("PostgreSQL is not installed");
    };
    let other = Postgres::shared().unwrap().unwrap();
    one.run("CREATE TABLE t (n int)").unwrap();
    assert_eq!(one.run("SELECT count(*) FROM t").unwrap(), "0");
    assert!(other.run("SELECT count(*) FROM t").is_err());
}

#[test]
fn a_server_that_is_killed_keeps_what_was_committed() {
    let Some(mut server) = Postgres::start(&[]).unwrap() else {
        return skip("PostgreSQL is not installed");
    };
    let database = server.database().unwrap();
    database.run("CREATE TABLE t AS SELECT 1 AS n").unwrap();
    server.kill().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", server.port())).is_err());
    server.restart().unwrap();
    assert_eq!(database.run("SELECT n FROM t").unwrap(), "1");
}

#[test]
fn redis_ends_with_its_test() {
    let Some(mut redis) = Redis::start(&[]).unwrap() else {
        return skip("Redis is not installed");
    };
    let pid = redis.process().unwrap().pid();
    redis.restart().unwrap();
    assert_ne!(redis.process().unwrap().pid(), pid);
    let pid = redis.process().unwrap().pid();
    drop(redis);
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}
