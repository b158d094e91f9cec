//! The secret that signs access tokens: configured, or made once and kept beside the database.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use parlour_core::port::clock::Random;

use crate::config::Config;

/// Shortest secret for HS256, in bytes (RFC 7518, section 3.2).
const MIN_BYTES: usize = 32;
/// The file that the server makes.
const FILE: &str = "parlour.secret";

/// The secret and what is to be said about it.
pub struct TokenSecret {
    /// The secret itself.
    pub(crate) bytes: Vec<u8>,
    /// It is shorter than it should be; only a demonstration runs with such a one.
    pub weak: bool,
    /// What the operator should know.
    pub notices: Vec<String>,
}

/// Finds the secret, or makes it.
///
/// # Errors
/// When it cannot be read or kept, and when it is weak outside of a demonstration.
pub fn load(config: &Config, random: &dyn Random, demo: bool) -> anyhow::Result<TokenSecret> {
    let mut notices = Vec::new();
    let bytes = if let Some(secret) = &config.auth.jwt_secret {
        secret.expose().as_bytes().to_vec()
    } else if let Some(path) = &config.auth.jwt_secret_file {
        notices.extend(too_open(path));
        read(path)?
    } else if let Some(folder) = folder(config) {
        let path = folder.join(FILE);
        if make(&path, random)? {
            notices.push(format!("made a secret for access tokens: {}", path.display()));
        }
        notices.extend(too_open(&path));
        read(&path)?
    } else {
        notices.push("the secret for access tokens lasts as long as this process".to_owned());
        new(random).into_bytes()
    };
    let weak = bytes.len() < MIN_BYTES;
    if weak && !demo {
        anyhow::bail!(
            "auth.jwt_secret has {} bytes; HS256 needs at least {MIN_BYTES}, because a short one can be guessed \
             (try: openssl rand -base64 32)",
            bytes.len()
        );
    }
    if weak {
        notices
            .push("auth.jwt_secret is weak: fine for a demonstration, for nothing else".to_owned());
    }
    Ok(TokenSecret { bytes, weak, notices })
}

/// The folder for files that the server keeps.
#[must_use]
pub fn folder(config: &Config) -> Option<PathBuf> {
    if let Some(folder) = &config.server.data_dir {
        return Some(folder.clone());
    }
    let parent = config.database.file()?.parent()?;
    Some(if parent.as_os_str().is_empty() { ".".into() } else { parent.to_owned() })
}

fn new(random: &dyn Random) -> String {
    let mut bytes = [0; 48];
    random.fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Makes the file, readable by its owner alone. `false` when it stands already.
fn make(path: &Path, random: &dyn Random) -> anyhow::Result<bool> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot make {}", path.display()));
        }
    };
    file.write_all(new(random).as_bytes()).and_then(|()| file.sync_all())?;
    Ok(true)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(64 * 1024).read_to_string(&mut text))
        .with_context(|| format!("cannot read the secret file {}", path.display()))?;
    Ok(text.trim_end_matches(['\n', '\r']).as_bytes().to_vec())
}

/// What to say when others than the owner can read a file.
#[cfg(unix)]
pub(crate) fn too_open(path: &Path) -> Option<String> {
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(path).ok()?);
    (mode & 0o077 != 0).then(|| {
        format!("{} can be read by others (mode {:o}): chmod 600 it", path.display(), mode & 0o777)
    })
}

#[cfg(not(unix))]
pub(crate) fn too_open(_path: &Path) -> Option<String> {
    None
}
