//! Puts the built inbox (`js/apps/inbox/dist`) into the program, if it is there.

use std::{
    env,
    fmt::Write as _,
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest as _, Sha256};

fn main() -> io::Result<()> {
    let inbox = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../js/apps/inbox");
    let dist = inbox.join("dist");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    println!("cargo::rerun-if-changed=build.rs");
    // A path that is not there would be taken as changed by every build.
    let watched = [&dist, &inbox].into_iter().find(|folder| folder.exists());
    if let Some(folder) = watched {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    let mut files = Vec::new();
    if dist.join("index.html").exists() {
        collect(&dist, &mut files)?;
    }
    files.sort();
    let mut table = String::from("static FILES: &[File] = &[\n");
    for (index, file) in files.iter().enumerate() {
        entry(&dist, file, index, &out, &mut table)?;
    }
    table.push_str("];\n");
    fs::write(out.join("inbox.rs"), table)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_none_or(|extension| extension != "map") {
            files.push(path);
        }
    }
    Ok(())
}

fn entry(dist: &Path, file: &Path, index: usize, out: &Path, table: &mut String) -> io::Result<()> {
    let plain = fs::read(file)?;
    let path = file.strip_prefix(dist).map_err(io::Error::other)?;
    let path = path.to_string_lossy().replace('\\', "/");
    let etag = URL_SAFE_NO_PAD.encode(&Sha256::digest(&plain)[..12]);
    let kind = kind(&path);
    let compressible =
        plain.len() > 512 && !matches!(kind, "image/png" | "image/webp" | "font/woff2");
    let copy = out.join(format!("inbox-{index}"));
    fs::write(&copy, &plain)?;
    let gzip = if compressible {
        let target = out.join(format!("inbox-{index}.gz"));
        let mut encoder = GzEncoder::new(fs::File::create(&target)?, Compression::best());
        encoder.write_all(&plain)?;
        encoder.finish()?;
        format!("Some(include_bytes!({target:?}))")
    } else {
        "None".to_owned()
    };
    let immutable = path.starts_with("assets/");
    writeln!(
        table,
        "File {{ path: {path:?}, kind: {kind:?}, etag: {:?}, immutable: {immutable}, plain: include_bytes!({copy:?}), gzip: {gzip} }},",
        format!("\"{etag}\"")
    )
    .map_err(io::Error::other)
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "webmanifest" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
