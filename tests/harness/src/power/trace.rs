//! What a server did to its files and told its clients, in order, as `strace` saw it.

use std::{collections::HashMap, path::Path};

use anyhow::{Context, Result, bail};

/// The system calls that are followed.
pub const CALLS: &str =
    "pwrite64,write,writev,sendto,sendmsg,fdatasync,fsync,ftruncate,openat,unlink,rename";

/// Something that was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Deed {
    /// A file was made in the folder (if it was not there).
    Made(String),
    /// Bytes were written into a file at an offset.
    Wrote(String, u64, Vec<u8>),
    /// A file was cut or stretched to a length.
    Cut(String, u64),
    /// A file was removed.
    Removed(String),
    /// What had been written to a file was flushed.
    Flushed(String),
    /// What had been made and removed in the folder was flushed.
    FlushedFolder,
    /// Bytes went to a client.
    Told(Vec<u8>),
}

/// A deed with its place in time: it began with one line of the trace and ended with another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call {
    /// The line on which it began.
    pub begun: usize,
    /// The line on which it had happened.
    pub ended: usize,
    /// What it was.
    pub deed: Deed,
}

/// Reads a trace (`strace -f -yy -xx`) of a server whose files are in `folder`, in the order of beginnings. Calls that
/// failed, or had not ended, are left out.
///
/// # Errors
/// When a line cannot be understood.
pub fn read(trace: &str, folder: &Path) -> Result<Vec<Call>> {
    let folder = folder.to_str().context("an odd folder")?;
    let mut open: HashMap<&str, (usize, &str)> = HashMap::new();
    let mut calls = Vec::new();
    for (number, line) in trace.lines().enumerate() {
        let Some((process, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        let (begun, text) = if let Some(head) = rest.strip_suffix("<unfinished ...>") {
            open.insert(process, (number, head));
            continue;
        } else if let Some(tail) = rest.strip_prefix("<... ") {
            let Some((begun, head)) = open.remove(process) else { continue };
            let (_, tail) = tail.split_once(" resumed>").context("an odd line")?;
            (begun, format!("{head}{tail}"))
        } else {
            (number, rest.to_owned())
        };
        let deed = deed(&text, folder).with_context(|| format!("line {}", number + 1))?;
        calls.extend(deed.map(|deed| Call { begun, ended: number, deed }));
    }
    calls.sort_by_key(|call| call.begun);
    Ok(calls)
}

fn deed(text: &str, folder: &str) -> Result<Option<Deed>> {
    let Some((name, rest)) = text.split_once('(') else { return Ok(None) };
    let Some((arguments, result)) = rest.rsplit_once(" = ") else { return Ok(None) };
    if result.starts_with('-') || result.starts_with('?') {
        return Ok(None);
    }
    let arguments = arguments.trim_end().trim_end_matches(')').trim_end();
    let target = described(arguments)?;
    let own = target.as_deref().and_then(|target| own(target, folder));
    let done = match name {
        "openat" if arguments.contains("O_CREAT") => {
            let path = strings(arguments)?.swap_remove(0);
            self::own(std::str::from_utf8(&path)?, folder).map(Deed::Made)
        }
        "unlink" => {
            let path = strings(arguments)?.swap_remove(0);
            self::own(std::str::from_utf8(&path)?, folder).map(Deed::Removed)
        }
        "rename" => bail!("renames are not followed"),
        "pwrite64" => match own {
            Some(file) => {
                let offset = arguments.rsplit_once(", ").context("no offset")?.1.parse()?;
                let mut bytes = strings(arguments)?.swap_remove(0);
                bytes.truncate(result.split(' ').next().unwrap_or_default().parse()?);
                Some(Deed::Wrote(file, offset, bytes))
            }
            None => None,
        },
        "ftruncate" => match own {
            Some(file) => {
                let length = arguments.rsplit_once(", ").context("no length")?.1.parse()?;
                Some(Deed::Cut(file, length))
            }
            None => None,
        },
        "fsync" | "fdatasync" => match own {
            Some(file) => Some(Deed::Flushed(file)),
            None if target.as_deref() == Some(folder) => Some(Deed::FlushedFolder),
            None => None,
        },
        "write" | "writev" | "sendto" | "sendmsg" => match own {
            Some(file) if name == "write" => bail!("{file} is written without an offset"),
            _ if target.as_deref().is_some_and(|target| target.starts_with("TCP")) => {
                Some(Deed::Told(strings(arguments)?.concat()))
            }
            _ => None,
        },
        _ => None,
    };
    Ok(done)
}

/// A file that is flushed: the index of the write-ahead log is made anew at each start, the lock holds nothing.
fn own(path: &str, folder: &str) -> Option<String> {
    let name = path.strip_prefix(folder)?.strip_prefix('/')?;
    let matters =
        name.starts_with("parlour.db") && !name.ends_with("-shm") && !name.ends_with(".lock");
    matters.then(|| name.to_owned())
}

/// What strace says the first argument is: the path of a file, or the ends of a connection.
fn described(arguments: &str) -> Result<Option<String>> {
    let first = arguments.split(", ").next().unwrap_or_default();
    let Some((_, rest)) = first.split_once('<') else { return Ok(None) };
    let inner = rest.rsplit_once('>').map_or(rest, |(inner, _)| inner);
    Ok(Some(String::from_utf8_lossy(&unescape(inner)?).into_owned()))
}

/// The quoted strings, taken out of their escapes.
fn strings(arguments: &str) -> Result<Vec<Vec<u8>>> {
    let quoted: Vec<_> = arguments.split('"').skip(1).step_by(2).map(unescape).collect();
    if quoted.is_empty() {
        bail!("no string");
    }
    quoted.into_iter().collect()
}

fn unescape(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4);
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = match tail {
            [b'x', high, low, tail @ ..] if *first == b'\\' => {
                let digits = [*high, *low];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits)?, 16)?);
                tail
            }
            _ => {
                bytes.push(*first);
                tail
            }
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> String {
        text.bytes().map(|byte| format!("\\x{byte:02x}")).collect()
    }

    #[test]
    fn calls_that_overlap_are_put_together() {
        let wal = hex("/f/parlour.db-wal");
        let trace = format!(
            "7  pwrite64(12<{wal}>, \"\\x61\\x62\", 2, 4096) = 2\n\
             7  fdatasync(12<{wal}> <unfinished ...>\n\
             8  sendto(9<TCP:[127.0.0.1:1->127.0.0.1:2]>, \"\\x68\\x69\", 2, 0, NULL, 0) = 2\n\
             7  <... fdatasync resumed>)       = 0\n\
             7  pwrite64(12<{wal}>, \"\\x63\", 1, 0) = -1 ENOSPC (No space left on device)\n\
             8  write(3<{other}>, \"\\x63\", 1) = 1\n",
            other = hex("/f/server.log"),
        );
        let calls = read(&trace, Path::new("/f")).unwrap();
        let file = "parlour.db-wal".to_owned();
        let expected = [
            Call { begun: 0, ended: 0, deed: Deed::Wrote(file.clone(), 4096, b"ab".to_vec()) },
            Call { begun: 1, ended: 3, deed: Deed::Flushed(file) },
            Call { begun: 2, ended: 2, deed: Deed::Told(b"hi".to_vec()) },
        ];
        assert_eq!(calls, expected);
    }
}
