use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    thread,
};

use super::*;

const BODY: &[u8] = b"not quite a data set";

/// Answers each path with its response until the test ends, at the address that is returned.
fn server(responses: &'static [(&str, &str, &[u8])]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut lines = BufReader::new(stream.try_clone().expect("a socket")).lines();
            let request = lines.next().expect("a request").expect("text");
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let path = request.split(' ').nth(1).expect("a path").to_owned();
            let (_, head, body) = responses.iter().find(|(p, ..)| *p == path).expect("a known path");
            let head = format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n");
            // A client that has read enough hangs up.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        }
    });
    address
}

fn mirror() -> String {
    server(&[
        ("/sound", "200 OK\r\nContent-Length: 20", BODY),
        ("/chunkless", "200 OK", BODY),
        ("/short", "200 OK\r\nContent-Length: 5", b"short"),
        ("/cut", "200 OK\r\nContent-Length: 20", b"cut off"),
        ("/long", "200 OK", b"more than twenty bytes of data"),
        ("/other", "200 OK\r\nContent-Length: 20", b"not quite a data sex"),
        ("/missing", "404 Not Found\r\nContent-Length: 0", b""),
        ("/moved", "302 Found\r\nLocation: /sound\r\nContent-Length: 0", b""),
    ])
}

fn file(mirrors: Vec<String>) -> ListedFile {
    ListedFile {
        name: "digits.gz".to_owned(),
        size: BODY.len() as u64,
        sha256: hexadecimal(&Sha256::digest(BODY)),
        variant: None,
        mirrors,
    }
}

fn silent(_: &str, _: u64, _: u64) {}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("readable").file_name();
    entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect()
}

#[test]
fn a_sound_file_arrives_whole_and_alone_and_progress_is_told() -> Result<()> {
    let address = mirror();
    for path in ["sound", "chunkless", "moved"] {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("new/mnist");
        let mut told = Vec::new();
        let mut progress = |name: &str, bytes, total| told.push((name.to_owned(), bytes, total));
        let file = file(vec![format!("{address}/{path}")]);
        let arrived = from_mirrors(&agent(false), &file, &folder, &mut progress)?;
        assert_eq!(arrived, folder.join("digits.gz"));
        assert_eq!(fs::read(arrived).expect("readable"), BODY);
        assert_eq!(names_in(&folder), ["digits.gz"]);
        assert_eq!(told.first(), Some(&("digits.gz".to_owned(), 0, 20)));
        assert_eq!(told.last(), Some(&("digits.gz".to_owned(), 20, 20)));
    }
    Ok(())
}

#[test]
fn a_wrong_file_is_refused_and_leaves_nothing() {
    let address = mirror();
    for (path, expected) in [
        ("short", "sent 5 bytes, expected 20 bytes"),
        ("long", "sent more than 20 bytes, expected 20 bytes"),
        ("other", "sent SHA-256 "),
        ("cut", "cannot download"),
        ("missing", "cannot download"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("{address}/{path}");
        let file = file(vec![url.clone()]);
        let outcome = from_mirrors(&agent(false), &file, folder.path(), &mut silent);
        let error = outcome.expect_err(path).to_string();
        for part in [&url, expected] {
            assert!(error.contains(part), "{part:?} is not in {error:?}");
        }
        assert!(names_in(folder.path()).is_empty());
    }
}

#[test]
fn the_next_mirror_is_asked_where_one_fails() -> Result<()> {
    let address = mirror();
    let paths = ["missing", "other", "sound", "cut"];
    let mirrors = paths.iter().map(|path| format!("{address}/{path}")).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let path = from_mirrors(&agent(false), &file(mirrors), folder.path(), &mut silent)?;
    assert_eq!(fs::read(path).expect("readable"), BODY);
    Ok(())
}

#[test]
fn plain_http_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = file(vec![format!("{}/sound", mirror())]);
    let error = download(&file, folder.path(), &mut silent).expect_err("not HTTPS");
    let DataError::Download { source, .. } = error else {
        panic!("{error}");
    };
    assert!(matches!(*source, ureq::Error::RequireHttpsOnly(_)), "{source}");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let blocked = folder.path().join("file");
    fs::write(&blocked, "").expect("writable");
    let file = file(vec![format!("{}/sound", mirror())]);
    let outcome = from_mirrors(&agent(false), &file, &blocked.join("mnist"), &mut silent);
    let error = outcome.expect_err("a file is in the way").to_string();
    assert!(error.contains("cannot create") && error.contains("file/mnist"), "{error}");
}
