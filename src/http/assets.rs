//! `/` and `/static/…`: the files of `static/`, compiled in. A file that is not in the list below is not
//! served; a test compares the list with the folder.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};

use super::Doors;
use super::problem::HttpError;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The page needs its own modules, styles and pictures, and talks to its own server. Nothing inline,
/// nothing from elsewhere, no text that becomes markup, and no other site may frame it.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

macro_rules! files {
    ($($name:literal: $content_type:expr,)*) => {
        &[$(($name, $content_type, include_bytes!(concat!("../../static/", $name))),)*]
    };
}

/// Name, content type and bytes of every file.
const FILES: &[(&str, &str, &[u8])] = files! {
    "chart.js": JAVASCRIPT,
    "chat.js": JAVASCRIPT,
    "connection.js": JAVASCRIPT,
    "conversation.js": JAVASCRIPT,
    "db-chat.js": JAVASCRIPT,
    "dom.js": JAVASCRIPT,
    "evidence.js": JAVASCRIPT,
    "favicon.svg": SVG,
    "history.js": JAVASCRIPT,
    "index.html": HTML,
    "markdown.js": JAVASCRIPT,
    "page.css": CSS,
    "page.js": JAVASCRIPT,
    "result.js": JAVASCRIPT,
    "server.js": JAVASCRIPT,
    "strings.js": JAVASCRIPT,
    "styles.js": JAVASCRIPT,
    "table.js": JAVASCRIPT,
    "turn.js": JAVASCRIPT,
};

/// The files by name, each with its entity tag.
pub(super) struct Assets {
    files: HashMap<&'static str, Asset>,
}

struct Asset {
    content_type: &'static str,
    bytes: &'static [u8],
    etag: String,
}

impl Assets {
    /// Computes the tags: from the bytes alone, so that all instances of one version agree.
    pub(super) fn load() -> Self {
        let files = FILES
            .iter()
            .map(|&(name, content_type, bytes)| {
                let mut hasher = DefaultHasher::new();
                bytes.hash(&mut hasher);
                let asset = Asset {
                    content_type,
                    bytes,
                    etag: format!("\"{:016x}\"", hasher.finish()),
                };
                (name, asset)
            })
            .collect();
        Self { files }
    }
}

/// `/`: the demo page.
pub(super) async fn page(
    request: HttpRequest,
    doors: web::Data<Doors>,
) -> Result<HttpResponse, HttpError> {
    std::future::ready(respond(&request, &doors.assets, "index.html")).await
}

/// `/static/…`: any file of the list.
pub(super) async fn file(
    request: HttpRequest,
    path: web::Path<String>,
    doors: web::Data<Doors>,
) -> Result<HttpResponse, HttpError> {
    std::future::ready(respond(&request, &doors.assets, &path)).await
}

fn respond(request: &HttpRequest, assets: &Assets, name: &str) -> Result<HttpResponse, HttpError> {
    let asset = assets.files.get(name).ok_or_else(HttpError::not_found)?;
    let is_known = request
        .headers()
        .get_all(header::IF_NONE_MATCH)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| tag.trim().trim_start_matches("W/") == asset.etag);
    let mut response = if is_known {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    response
        // Names do not change with their contents, so browsers ask each time and mostly hear 304.
        .insert_header((header::CACHE_CONTROL, "public, no-cache"))
        .insert_header((header::ETAG, asset.etag.as_str()))
        .insert_header((header::CONTENT_SECURITY_POLICY, PAGE_POLICY))
        // Pages on other sites load the widget's modules from here.
        .insert_header((
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            HeaderValue::from_static("*"),
        ));
    if is_known {
        return Ok(response.finish());
    }
    Ok(response.content_type(asset.content_type).body(asset.bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_list_names_every_file_of_the_folder() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("static");
        let found: BTreeSet<_> = std::fs::read_dir(folder)
            .expect("the folder")
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .into_string()
                    .expect("a name")
            })
            .collect();
        let listed: BTreeSet<_> = FILES.iter().map(|(name, ..)| (*name).to_owned()).collect();
        assert_eq!(found, listed);
    }
}
