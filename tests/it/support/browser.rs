//! A headless Chromium, driven by `WebDriver`: JSON over HTTP on loopback.

use std::io::Write as _;
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_mins(1);
const STARTED: &str = "was started successfully on port ";
/// A folder for pictures of each page that a test opens.
const SHOTS: &str = "REPOINT_TEST_SHOTS";
/// The code of the key in `WebDriver`.
pub const TAB: &str = "\u{e004}";
pub const ENTER: &str = "\u{e007}";
pub const SPACE: &str = " ";

/// A browser with one window.
pub struct Browser {
    _driver: Child,
    client: Client,
    port: u16,
    session: String,
}

impl Browser {
    /// Starts it; `None` where `chromedriver` is not installed, as Debian's package chromium-driver has it.
    pub async fn start() -> Option<Self> {
        let mut command = Command::new("chromedriver");
        command.args(["--port=0", "--log-level=SEVERE"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut driver = command.kill_on_drop(true).spawn().ok()?;
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = loop {
            let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
            if let Some((_, port)) = line.split_once(STARTED) {
                break port.trim_end_matches('.').parse().unwrap();
            }
        };
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let mut browser = Self { _driver: driver, client, port, session: String::new() };
        let arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"];
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let session = browser.call(Method::POST, "/session", capabilities).await;
        session["sessionId"].as_str().unwrap().clone_into(&mut browser.session);
        Some(browser)
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        let request = self.client.request(method.clone(), format!("http://127.0.0.1:{}{path}", self.port));
        let request = if method == Method::POST { request.json(&body) } else { request };
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        let value = answer["value"].clone();
        assert!(value.get("error").is_none(), "{path} {body}: {value}");
        value
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.call(Method::POST, &format!("/session/{}{path}", self.session), body).await
    }

    /// A command of Chromium's own protocol.
    pub async fn command(&self, name: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", json!({"cmd": name, "params": parameters})).await
    }

    /// The width of the window, and which colours the user prefers.
    pub async fn appear(&self, width: u32, scheme: &str) {
        let metrics = json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false});
        self.command("Emulation.setDeviceMetricsOverride", metrics).await;
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.command("Emulation.setEmulatedMedia", features).await;
    }

    pub async fn open(&self, url: &str) {
        self.post("/url", json!({"url": url})).await;
    }

    /// What a function body returns in the page; a promise is awaited.
    pub async fn script(&self, body: &str) -> Value {
        self.post("/execute/sync", json!({"script": body, "args": []})).await
    }

    /// Waits until an expression is true.
    pub async fn until(&self, expression: &str) {
        let waiting = async {
            while self.script(&format!("return Boolean({expression})")).await != json!(true) {
                sleep(Duration::from_millis(50)).await;
            }
        };
        if timeout(PATIENCE, waiting).await.is_err() {
            let page = self.script("return document.body.innerText").await;
            panic!("it never came to that {expression}:\n{}", page.as_str().unwrap_or_default());
        }
    }

    /// Presses keys, one after another.
    pub async fn press(&self, keys: &str) {
        let press =
            |key: char| [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})];
        let actions: Vec<Value> = keys.chars().flat_map(press).collect();
        self.post("/actions", json!({"actions": [{"type": "key", "id": "keys", "actions": actions}]})).await;
    }

    /// What stands in the console, violations of the content security policy included, since the last time.
    pub async fn console(&self) -> Vec<String> {
        let log = self.post("/se/log", json!({"type": "browser"})).await;
        log.as_array().unwrap().iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
    }

    /// Takes a picture, if pictures are asked for.
    pub async fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os(SHOTS) else { return };
        let taken = self.command("Page.captureScreenshot", json!({"format": "png"})).await;
        let bytes =
            base64::engine::general_purpose::STANDARD.decode(taken["data"].as_str().unwrap()).unwrap();
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), bytes).unwrap();
    }
}

impl Drop for Browser {
    /// The driver ends the browser before it ends.
    fn drop(&mut self) {
        let shutdown = TcpStream::connect(("127.0.0.1", self.port)).and_then(|mut stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")?;
            std::io::copy(&mut stream, &mut std::io::sink())
        });
        drop(shutdown);
    }
}
