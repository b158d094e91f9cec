//! The address of Redis: one server, what Sentinel watches over, or a cluster. Errors never show what was in it.

use std::fmt;

/// Where one server listens.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Name and password, where there are any.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(…)")
    }
}

/// How the servers belong together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Plain,
    /// The name under which Sentinel knows the master, and how one logs in to Sentinel itself.
    Sentinel {
        master: String,
        login: Login,
    },
    Cluster,
}

/// A whole address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Target {
    pub(super) kind: Kind,
    pub(super) tls: bool,
    pub(super) login: Login,
    /// One at least; for a plain server exactly one.
    pub(super) seeds: Vec<Address>,
}

/// What is wrong with an address. It never repeats any of it, for passwords are in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UrlError {
    /// It begins with something else.
    #[error(
        "it must begin with redis://, rediss://, redis+sentinel://, rediss+sentinel://, redis+cluster:// or rediss+cluster://"
    )]
    Scheme,
    /// No host, or too many.
    #[error("it must name a host (Sentinel and clusters: one to 32, separated by commas)")]
    Hosts,
    /// A port that is none.
    #[error("a port must be a number from 1 to 65535")]
    Port,
    /// Sentinel must be told which master.
    #[error(
        "after the hosts of Sentinel the name of the master must stand: redis+sentinel://HOST:PORT/NAME"
    )]
    Master,
    /// A path that means nothing.
    #[error("nothing but the number of a database may stand after the host")]
    Path,
    /// Only Sentinel has options.
    #[error("after ? only sentinel_user and sentinel_password may stand, and only for Sentinel")]
    Option,
    /// `%` is not followed by two digits, or the bytes are no text.
    #[error("a % must be followed by two hexadecimal digits")]
    Escape,
}

/// Most servers that an address names.
const MOST_SEEDS: usize = 32;

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::Scheme)?;
        let (tls, form) = match scheme.split_once('+') {
            None => (scheme, ""),
            Some((base, form)) => (base, form),
        };
        let tls = match tls {
            "redis" => false,
            "rediss" => true,
            _ => return Err(UrlError::Scheme),
        };
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        // A password may hold a slash; the last @ ends it.
        let (login, rest) = match rest.rsplit_once('@') {
            Some((login, rest)) => (login_of(login)?, rest),
            None => (Login::default(), rest),
        };
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (kind, port) = match form {
            "" if !scheme.contains('+') => (Kind::Plain, 6_379),
            "cluster" => (Kind::Cluster, 6_379),
            "sentinel" => (sentinel(path, options)?, 26_379),
            _ => return Err(UrlError::Scheme),
        };
        if !matches!(kind, Kind::Sentinel { .. }) {
            if !options.is_empty() {
                return Err(UrlError::Option);
            }
            // Channels belong to no database.
            if !path.bytes().all(|byte| byte.is_ascii_digit()) || path.len() > 5 {
                return Err(UrlError::Path);
            }
        }
        let seeds: Vec<_> =
            hosts.split(',').map(|host| address(host, port)).collect::<Result<_, _>>()?;
        if seeds.len() > MOST_SEEDS || (kind == Kind::Plain && seeds.len() > 1) {
            return Err(UrlError::Hosts);
        }
        Ok(Self { kind, tls, login, seeds })
    }
}

fn sentinel(path: &str, options: &str) -> Result<Kind, UrlError> {
    let master = unescape(path)?;
    if master.is_empty() || master.contains('/') {
        return Err(UrlError::Master);
    }
    let mut login = Login::default();
    for option in options.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("sentinel_user", user)) => login.user = Some(unescape(user)?),
            Some(("sentinel_password", password)) => login.password = Some(unescape(password)?),
            _ => return Err(UrlError::Option),
        }
    }
    Ok(Kind::Sentinel { master, login })
}

fn login_of(text: &str) -> Result<Login, UrlError> {
    let (user, password) = match text.split_once(':') {
        Some((user, password)) => (unescape(user)?, Some(unescape(password)?)),
        None => (unescape(text)?, None),
    };
    Ok(Login { user: Some(user).filter(|user| !user.is_empty()), password })
}

fn address(text: &str, default: u16) -> Result<Address, UrlError> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or(UrlError::Hosts)?;
            let port = port.strip_prefix(':').or_else(|| port.is_empty().then_some(""));
            (host, port.ok_or(UrlError::Hosts)?)
        }
        None => text.split_once(':').unwrap_or((text, "")),
    };
    if host.is_empty() || host.len() > 255 || host.contains(char::is_whitespace) {
        return Err(UrlError::Hosts);
    }
    let port = match port {
        "" => default,
        port => port.parse().ok().filter(|port| *port > 0).ok_or(UrlError::Port)?,
    };
    Ok(Address { host: host.to_owned(), port })
}

fn unescape(text: &str) -> Result<String, UrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or(UrlError::Escape)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(UrlError::Escape);
        }
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| UrlError::Escape)?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| UrlError::Escape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> Address {
        Address { host: host.to_owned(), port }
    }

    fn login(user: Option<&str>, password: Option<&str>) -> Login {
        Login { user: user.map(Into::into), password: password.map(Into::into) }
    }

    #[test]
    fn every_form_is_understood() {
        let plain = Target::parse("redis://h").unwrap();
        assert_eq!(plain.kind, Kind::Plain);
        assert_eq!((plain.tls, plain.seeds), (false, vec![at("h", 6379)]));
        let tls = Target::parse("rediss://u:p%40%2f@[::1]:7000/3").unwrap();
        assert_eq!((tls.tls, tls.seeds), (true, vec![at("::1", 7000)]));
        assert_eq!(tls.login, login(Some("u"), Some("p@/")));
        let sentinel =
            Target::parse("redis+sentinel://:pw@a:1,b/main?sentinel_password=s").unwrap();
        let inner = login(None, Some("s"));
        assert_eq!(sentinel.kind, Kind::Sentinel { master: "main".into(), login: inner });
        assert_eq!(sentinel.login, login(None, Some("pw")));
        assert_eq!(sentinel.seeds, [at("a", 1), at("b", 26379)]);
        let cluster = Target::parse("rediss+cluster://a,b:2,c").unwrap();
        assert_eq!((cluster.kind, cluster.tls), (Kind::Cluster, true));
        assert_eq!(cluster.seeds, [at("a", 6379), at("b", 2), at("c", 6379)]);
    }

    #[test]
    fn nonsense_is_refused_without_repeating_it() {
        for (url, error) in [
            ("", UrlError::Scheme),
            ("localhost:6379", UrlError::Scheme),
            ("http://h", UrlError::Scheme),
            ("redis+://h", UrlError::Scheme),
            ("redis+ring://h", UrlError::Scheme),
            ("redis://", UrlError::Hosts),
            ("redis://a,b", UrlError::Hosts),
            ("redis://:secret@", UrlError::Hosts),
            ("redis://[::1", UrlError::Hosts),
            ("redis://h:0", UrlError::Port),
            ("redis://h:70000", UrlError::Port),
            ("redis://h:secret", UrlError::Port),
            ("redis://h/secret", UrlError::Path),
            ("redis://h?db=1", UrlError::Option),
            ("redis+sentinel://h", UrlError::Master),
            ("redis+sentinel://h/m?x=1", UrlError::Option),
            ("redis://:%zz@h", UrlError::Escape),
            ("redis://:%ff@h", UrlError::Escape),
            ("redis://:%é@h", UrlError::Escape),
        ] {
            assert_eq!(Target::parse(url).unwrap_err(), error, "{url}");
            assert!(!error.to_string().contains("secret"));
        }
        let target = Target::parse("redis://me:secret@h").unwrap();
        assert!(!format!("{target:?}").contains("secret"));
    }
}
