//! The command line and the configuration, through the program itself.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Output, Stdio},
};

use crate::support::{PROGRAM, SECRET, Server, Setup};

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn a_printed_token_is_good() {
    let setup = Setup::new();
    let mut program = setup.program();
    program.env("PARLOUR_JWT_SECRET", SECRET);
    let output = program.args(["token", "77", "--name", "Seven", "--ttl", "5m"]).output().unwrap();
    let (token, errors) = texts(&output);
    assert!(output.status.success(), "{errors}");
    let server = setup.start().await;
    let me = server.send(server.request("GET", "/api/v1/me").bearer_auth(token.trim())).await.ok();
    assert_eq!((&me["id"], &me["name"]), (&"77".into(), &"Seven".into()));
    server.stop().await;
}

#[tokio::test]
async fn a_secret_of_our_own_is_made_once_and_kept_private() {
    let setup = Setup::new();
    let first = texts(&setup.program().args(["token", "1"]).output().unwrap());
    assert!(first.1.contains("made a secret"), "{}", first.1);
    let file = setup.file("parlour.secret");
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    let secret = std::fs::read_to_string(&file).unwrap();
    let second = texts(&setup.program().args(["token", "1"]).output().unwrap());
    assert!(!second.1.contains("made a secret"), "{}", second.1);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), secret);
    let server: Server = setup.with("auth.jwt_secret", secret).start().await;
    for (token, _) in [first, second] {
        let request = server.request("GET", "/api/v1/me").bearer_auth(token.trim());
        server.send(request).await.ok();
    }
    server.stop().await;
}

#[test]
fn b20_a_weak_secret_keeps_the_server_from_starting() {
    let setup = Setup::new();
    let mut program = setup.program();
    let output = program
        .env("PARLOUR_JWT_SECRET", "secret")
        .args(["serve", "--listen", "127.0.0.1:0"])
        .output();
    let output = output.unwrap();
    assert!(!output.status.success());
    let (_, errors) = texts(&output);
    assert!(errors.contains("auth.jwt_secret") && errors.contains("32"), "{errors}");
}

#[test]
fn l4_a_configuration_that_is_wrong_names_the_key() {
    let setup = Setup::new();
    let file = setup.file("parlour.toml");
    for (text, expected) in [
        ("[server]\nlisten = \"127.0.0.1:0\"\nlissten = 1\n", "server.lissten"),
        ("[sever]\n", "sever"),
        ("[server]\nlisten = 5\n", "server.listen"),
        ("[limits]\npage = \"many\"\n", "limits.page"),
        ("[auth]\naccess_ttl = \"soon\"\n", "auth.access_ttl"),
        ("[dialects]\ntime_zone = \"Mars/Olympus\"\n", "dialects.time_zone"),
        ("[server]\ntrusted_proxies = [\"nowhere\"]\n", "server.trusted_proxies"),
        ("[server]\nallowed_origins = [\"https://a.test/\"]\n", "server.allowed_origins"),
        ("listen = \"x\"\n", "listen"),
        ("[server\n", "TOML"),
    ] {
        std::fs::write(&file, text).unwrap();
        let output = setup.program().arg("config").output().unwrap();
        let (_, errors) = texts(&output);
        assert!(!output.status.success(), "{text}");
        assert!(errors.contains(expected), "{text}: {errors}");
    }
    std::fs::write(&file, "[limits]\npage_maxx = 5\n").unwrap();
    let (_, errors) = texts(&setup.program().arg("config").output().unwrap());
    assert!(errors.contains("did you mean `limits.page_max`"), "{errors}");
    let (_, errors) =
        texts(&setup.program().args(["--config", "absent.toml", "config"]).output().unwrap());
    assert!(errors.contains("absent.toml"), "{errors}");
}

#[test]
fn values_come_from_flags_then_environment_then_file_then_default() {
    let setup = Setup::new();
    std::fs::write(
        setup.file("parlour.toml"),
        "[limits]\npage = 20\npage_max = 60\nsends_burst = 7\n",
    )
    .unwrap();
    let mut program = setup.program();
    program.env("PARLOUR_LIMITS_PAGE", "30").env("PARLOUR_RATE_LIMITS", "off");
    program.env("PARLOUR_JWT_SECRET", SECRET).env("PARLOUR_NONSENSE", "1");
    let output = program.args(["--database", "sqlite://flag.db", "config"]).output().unwrap();
    let (printed, errors) = texts(&output);
    for line in [
        "page = 30 # environment PARLOUR_LIMITS_PAGE",
        "page_max = 60 # parlour.toml",
        "rate_limits = false # environment PARLOUR_RATE_LIMITS",
        "url = \"sqlite://flag.db\" # flag",
        "listen = \"127.0.0.1:8000\" # default",
        "jwt_secret = \"…\" # environment PARLOUR_JWT_SECRET",
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line}:\n{printed}");
    }
    assert!(!printed.contains(SECRET));
    assert!(errors.contains("PARLOUR_NONSENSE"), "{errors}");
}

#[test]
fn what_cannot_be_used_is_named_without_its_password() {
    let setup = Setup::new();
    for (name, value, expected) in [
        // One file is one process.
        ("REDIS_URL", "redis://:hunter2@localhost", "redis_url"),
        ("DATABASE_URL", "postgres://u:hunter2@localhost:1/x", "postgres://localhost:1/x"),
    ] {
        let output = setup.program().env(name, value).arg("serve").output().unwrap();
        let (_, errors) = texts(&output);
        assert!(!output.status.success() && errors.contains(expected), "{errors}");
        assert!(!errors.contains("hunter2"), "{errors}");
    }
}

#[test]
fn secrets_in_files() {
    let setup = Setup::new();
    let file = setup.file("jwt");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    let run = |mode: u32| {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&file, permissions).unwrap();
        let mut program = setup.program();
        texts(&program.env("PARLOUR_JWT_SECRET_FILE", &file).args(["token", "1"]).output().unwrap())
    };
    assert!(run(0o644).1.contains("can be read by others"));
    let (token, errors) = run(0o600);
    assert!(errors.is_empty() && token.matches('.').count() == 2, "{errors}");
}

#[test]
fn accounts_and_keys_are_made_and_removed() {
    let setup = Setup::new();
    let mut add = setup.program();
    add.args(["user", "add", "dana", "--id", "9", "--name", "Dana", "--password-stdin"]);
    let mut child = add.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"hunter22\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(texts(&output).0, "user 9 signs in as dana\n");
    let run = |args: &[&str]| setup.program().args(args).output().unwrap();
    let key = texts(&run(&["apikey", "add", "backend"])).0;
    assert!(key.starts_with("pk_") && key.trim().len() == 46, "{key}");
    assert!(!run(&["apikey", "add", "backend"]).status.success(), "a name is taken once");
    assert!(texts(&run(&["apikey", "list"])).0.starts_with("backend\t"));
    assert!(run(&["apikey", "remove", "backend"]).status.success());
    assert!(!run(&["apikey", "remove", "backend"]).status.success());
    assert_eq!(texts(&run(&["apikey", "list"])).0, "");
    assert!(run(&["migrate", "--check"]).status.success());
    assert!(run(&["doctor"]).status.success());
}

#[tokio::test]
async fn k2_no_secret_is_in_any_log() {
    let setup = Setup::new();
    let log = std::fs::File::create(setup.file("log")).unwrap();
    let mut serve = setup.program();
    serve
        .env("PARLOUR_LOG_LEVEL", "trace")
        .env("PARLOUR_LOG_FORMAT", "json")
        .env("PARLOUR_JWT_SECRET", SECRET);
    serve.args(["serve", "--demo", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(log);
    let mut child = serve.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("http://127.0.0.1:") {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0);
    }
    let root = line.split_whitespace().last().unwrap().to_owned();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let post =
        |path: &str, body: serde_json::Value| client.post(format!("{root}{path}")).json(&body);
    let login = serde_json::json!({"username": "alice", "password": "demo"});
    let answer = post("/api/v1/auth/login", login).send().await.unwrap();
    let cookie = answer.headers()["set-cookie"]
        .to_str()
        .unwrap()
        .split(['=', ';'])
        .nth(1)
        .unwrap()
        .to_owned();
    let login: serde_json::Value = answer.json().await.unwrap();
    let access = login["access"].as_str().unwrap().to_owned();
    let wrong = serde_json::json!({"username": "alice", "password": "marker-password"});
    post("/api/v1/auth/login", wrong).send().await.unwrap();
    let ticket = post("/api/v1/auth/ticket", serde_json::json!({}))
        .bearer_auth(&access)
        .send()
        .await
        .unwrap();
    let ticket: serde_json::Value = ticket.json().await.unwrap();
    let ticket = ticket["ticket"].as_str().unwrap().to_owned();
    let said = serde_json::json!({"content": "marker-content"});
    let said =
        post("/api/v1/conversations/1/messages", said).bearer_auth(&access).send().await.unwrap();
    assert_eq!(said.status(), 201);
    for path in
        [format!("/api/v1/events/poll?ticket={ticket}"), format!("/marker-path?token={access}")]
    {
        client
            .get(format!("{root}{path}"))
            .header("cookie", format!("parlour_session={cookie}"))
            .send()
            .await
            .unwrap();
    }
    std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    child.wait().unwrap();
    let log = std::fs::read_to_string(setup.file("log")).unwrap();
    assert!(log.lines().count() > 10 && log.contains("\"status\":201"), "{log}");
    let refresh = login["refresh"].as_str().unwrap();
    let markers = [
        "marker-",
        &access,
        &cookie,
        &ticket,
        refresh,
        SECRET,
        "alice@example.org",
        "blue bicycle",
    ];
    for marker in markers {
        assert!(!log.contains(marker), "{marker} is in the log");
    }
}

#[test]
fn a_signal_ends_the_server_and_it_says_where_it_listens() {
    let setup = Setup::new();
    let mut serve = setup.program();
    serve
        .args(["serve", "--demo", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = serve.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    while !text.contains("http://127.0.0.1:") {
        assert_ne!(lines.read_line(&mut text).unwrap(), 0, "{text}");
    }
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    lines.read_to_string(&mut text).unwrap();
    assert!(text.contains("alice") && text.contains("password demo"), "{text}");
    assert!(PROGRAM.ends_with("parlour"));
}
