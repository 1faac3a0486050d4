//! An OCI image layout in one tar archive.

use std::{
    fs::File,
    io::{self, BufWriter, Read, Seek as _, SeekFrom, Write},
    path::Path,
};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType};

use super::{
    Image,
    layer::{self, Hashing},
};
use crate::{error::Error, hex::hex};

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Written {
    /// The digest of the manifest, by which the image can be referred to: `sha256:…`.
    pub digest: String,
    /// The length of the archive in bytes.
    pub length: u64,
}

/// A blob and what refers to it.
struct Blob {
    media_type: &'static str,
    digest: String,
    length: u64,
}

impl Blob {
    fn of(media_type: &'static str, bytes: &[u8]) -> Self {
        Self {
            media_type,
            digest: hex(&Sha256::digest(bytes)),
            length: bytes.len() as u64,
        }
    }

    fn descriptor(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.reference(), "size": self.length })
    }

    fn reference(&self) -> String {
        format!("sha256:{}", self.digest)
    }
}

/// Writes the archive next to its place, then moves it there.
pub(super) fn write(image: &Image, place: &Path) -> Result<Written, Error> {
    let directory = place
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let temporary = |doing| Error::file(doing, directory);
    let (mut layer_file, layer) = write_layer(image, directory)?;
    layer_file
        .seek(SeekFrom::Start(0))
        .map_err(temporary("reading a layer in"))?;

    let archive = tempfile::NamedTempFile::new_in(directory).map_err(temporary("making a file in"))?;
    let (digest, length) = write_layout(image, &layer, layer_file, archive.as_file())
        .map_err(temporary("writing an archive in"))?;
    archive
        .persist(place)
        .map_err(|error| Error::file("writing", place)(error.error))?;
    Ok(Written { digest, length })
}

/// The layer must be complete before its place in the archive, because its length and hash stand before it.
fn write_layer(image: &Image, directory: &Path) -> Result<(File, Blob), Error> {
    let file = tempfile::tempfile_in(directory).map_err(Error::file("making a file in", directory))?;
    let written = layer::write(image, Hashing::new(BufWriter::new(file)))?;
    let (buffer, digest, length) = written.finish();
    let file = buffer
        .into_inner()
        .map_err(|error| Error::file("writing a layer in", directory)(error.into_error()))?;
    Ok((
        file,
        Blob {
            media_type: LAYER,
            digest,
            length,
        },
    ))
}

fn write_layout(image: &Image, layer: &Blob, layer_file: File, archive: &File) -> io::Result<(String, u64)> {
    let config = serde_json::to_vec(&config(image, layer))?;
    let config_blob = Blob::of(CONFIG, &config);
    let manifest = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config_blob.descriptor(),
        "layers": [layer.descriptor()],
    }))?;
    let manifest_blob = Blob::of(MANIFEST, &manifest);
    let index = serde_json::to_vec(&index(image, &manifest_blob))?;

    let mut tar = Builder::new(Hashing::new(BufWriter::new(archive)));
    append(&mut tar, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    append(&mut tar, "index.json", &index)?;
    append_blob(&mut tar, &manifest_blob, manifest.as_slice())?;
    append_blob(&mut tar, &config_blob, config.as_slice())?;
    append_blob(&mut tar, layer, layer_file)?;
    let (mut buffer, _, length) = tar.into_inner()?.finish();
    buffer.flush()?;
    Ok((manifest_blob.reference(), length))
}

fn append<W: Write>(tar: &mut Builder<W>, path: &str, bytes: &[u8]) -> io::Result<()> {
    tar.append_data(
        &mut layer::header(EntryType::Regular, 0o644, bytes.len() as u64),
        path,
        bytes,
    )
}

fn append_blob<W: Write>(tar: &mut Builder<W>, blob: &Blob, bytes: impl Read) -> io::Result<()> {
    let path = format!("blobs/sha256/{}", blob.digest);
    tar.append_data(
        &mut layer::header(EntryType::Regular, 0o644, blob.length),
        path,
        bytes,
    )
}

fn config(image: &Image, layer: &Blob) -> Value {
    let environment: Vec<String> = image
        .environment
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    json!({
        "architecture": architecture(),
        "os": "linux",
        "config": {
            "Entrypoint": image.entrypoint,
            "Cmd": image.command,
            "Env": environment,
            "User": image.user.as_deref().unwrap_or_default(),
            "Labels": image.labels,
        },
        // Not compressed, so that the layer's own hash is that of its contents.
        "rootfs": { "type": "layers", "diff_ids": [layer.reference()] },
    })
}

/// containerd takes the name from its own annotation; others take the tag from the standard one.
fn index(image: &Image, manifest: &Blob) -> Value {
    let tag = image.name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
    let mut descriptor = manifest.descriptor();
    descriptor["annotations"] =
        json!({ "io.containerd.image.name": image.name, "org.opencontainers.image.ref.name": tag });
    descriptor["platform"] = json!({ "architecture": architecture(), "os": "linux" });
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor] })
}

/// This machine's architecture by Go's name, which images use.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use super::*;

    fn image(program: &Path) -> Image {
        Image::new("docker.io/library/busybox:1.28")
            .file("/bin/busybox", program, 0o755)
            .symlink("/bin/sh", "busybox")
            .directory("/tmp", 0o1777)
            .entrypoint(["/bin/busybox"])
            .environment("PATH", "/bin")
            .user("65532:65532")
    }

    /// Every file of a tar archive: its contents, or for a link its target, and its mode.
    fn unpack(bytes: &[u8]) -> BTreeMap<String, (Vec<u8>, u32)> {
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(bytes).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_str().unwrap().to_owned();
            let mut contents = Vec::new();
            match entry.link_name().unwrap() {
                Some(target) => contents.extend(target.to_str().unwrap().as_bytes()),
                None => drop(entry.read_to_end(&mut contents).unwrap()),
            }
            let mode = entry.header().mode().unwrap();
            assert!(files.insert(path, (contents, mode)).is_none());
        }
        files
    }

    #[test]
    fn layout_is_complete_and_every_blob_has_its_digest_and_size() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("program");
        fs::write(&program, vec![7; 100_000]).unwrap();
        let archive = dir.path().join("image.tar");
        let written = image(&program).write(&archive).unwrap();
        let bytes = fs::read(&archive).unwrap();
        assert_eq!(written.length, bytes.len() as u64);

        let files = unpack(&bytes);
        let json = |bytes: &[u8]| -> Value { serde_json::from_slice(bytes).unwrap() };
        let blob = |descriptor: &Value| {
            let digest = descriptor["digest"]
                .as_str()
                .unwrap()
                .strip_prefix("sha256:")
                .unwrap();
            let (contents, _) = &files[&format!("blobs/sha256/{digest}")];
            assert_eq!(hex(&Sha256::digest(contents)), digest);
            assert_eq!(descriptor["size"], contents.len());
            contents.clone()
        };
        assert_eq!(
            json(&files["oci-layout"].0),
            json!({ "imageLayoutVersion": "1.0.0" })
        );
        let index = json(&files["index.json"].0);
        let descriptor = &index["manifests"][0];
        assert_eq!(descriptor["digest"], written.digest.as_str());
        assert_eq!(
            descriptor["annotations"]["io.containerd.image.name"],
            "docker.io/library/busybox:1.28"
        );
        assert_eq!(
            descriptor["annotations"]["org.opencontainers.image.ref.name"],
            "1.28"
        );
        let manifest = json(&blob(descriptor));
        let config = json(&blob(&manifest["config"]));
        assert_eq!(config["config"]["User"], "65532:65532");
        assert_eq!(config["config"]["Env"], json!(["PATH=/bin"]));
        assert_eq!(config["rootfs"]["diff_ids"][0], manifest["layers"][0]["digest"]);

        let layer = unpack(&blob(&manifest["layers"][0]));
        assert_eq!(
            layer.keys().map(String::as_str).collect::<Vec<_>>(),
            ["bin", "bin/busybox", "bin/sh", "tmp"]
        );
        assert_eq!(layer["bin/busybox"], (vec![7; 100_000], 0o755));
        assert_eq!(layer["bin/sh"].0, b"busybox");
        assert_eq!(layer["tmp"].1, 0o1777);
    }

    #[test]
    fn the_same_description_gives_the_same_bytes_whatever_the_files_times() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let digests = [&one, &two].map(|dir| {
            let program = dir.path().join("program");
            fs::write(&program, "same").unwrap();
            let written = image(&program).write(&dir.path().join("image.tar")).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(1100));
            written.digest
        });
        assert_eq!(digests[0], digests[1]);
        assert_eq!(
            fs::read(one.path().join("image.tar")).unwrap(),
            fs::read(two.path().join("image.tar")).unwrap()
        );
    }

    #[test]
    fn a_missing_file_is_named_and_leaves_no_archive() {
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join("image.tar");
        let error = image(Path::new("/does/not/exist")).write(&archive).unwrap_err();
        assert!(
            error.to_string().starts_with("reading /does/not/exist"),
            "{error}"
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
