//! A copy of what the simulation needs, where one fault at a time is put in, built and run.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

/// The parts of the workspace that the simulation is built of.
const PARTS: [&str; 5] = [
    "config/chassis",
    "gateway/guard",
    "gateway/orders",
    "gateway/simulator",
    "proto/model",
];
/// Seeds from here on, steps in all: some hundred and fifty runs. `MYMT5_SIM_SEED` and `MYMT5_SIM_STEPS` say
/// otherwise.
const FIRST_SEED: &str = "1";
const STEPS: &str = "1500000";
/// A verdict is told in so many characters.
const VERDICT: usize = 160;

/// A run of the simulation.
pub struct Run {
    pub passes: bool,
    pub seconds: f64,
    /// Its first line that says how it went.
    pub verdict: String,
}

/// The copy; it goes when this goes.
pub struct Workshop {
    workspace: PathBuf,
    core: PathBuf,
    target: PathBuf,
}

/// Where the crate of the core is.
pub fn crate_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Workshop {
    /// Copies what is needed. What was compiled stays, so that dependencies are compiled once.
    pub fn open() -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutants");
        let workspace = root.join("workspace");
        let workshop = Self {
            core: workspace.join("gateway/orders"),
            target: root.join("target"),
            workspace,
        };
        let original = crate_root().ancestors().nth(2).expect("a workspace");
        // A run that was killed left the copy behind.
        drop(fs::remove_dir_all(&workshop.workspace));
        for part in PARTS {
            copy(&original.join(part), &workshop.workspace.join(part));
        }
        let manifest = fs::read_to_string(original.join("Cargo.toml")).expect("a manifest");
        let manifest = with_members(&manifest);
        fs::write(workshop.workspace.join("Cargo.toml"), manifest).expect("a manifest");
        let lock = workshop.workspace.join("Cargo.lock");
        fs::copy(original.join("Cargo.lock"), lock).expect("a lock file");
        workshop
    }

    /// The copied crate of the core.
    pub fn core(&self) -> &Path {
        &self.core
    }

    /// Writes a source file of the core. What stood there before.
    pub fn write(&self, file: &str, text: &str) -> String {
        let path = self.core.join("src").join(file);
        let before = fs::read_to_string(&path).expect("a source file");
        fs::write(path, text).expect("a source file");
        before
    }

    /// Builds the simulation.
    ///
    /// # Errors
    /// The first error of the compiler.
    pub fn build(&self) -> Result<(), String> {
        let output = self.cargo(&["--no-run"]).output().expect("cargo");
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        let mut lines = text.lines();
        let error = lines.find(|line| line.starts_with("error"));
        Err(shortened(error.unwrap_or(&text)))
    }

    /// Runs the simulation that was built.
    pub fn run(&self) -> Run {
        let test = "nothing_is_doubled_lost_or_told_wrongly";
        let begun = Instant::now();
        let output = self
            .cargo(&["--", "--exact", test, "--nocapture"])
            .env("MYMT5_SIM_SEED", named("MYMT5_SIM_SEED", FIRST_SEED))
            .env("MYMT5_SIM_STEPS", named("MYMT5_SIM_STEPS", STEPS))
            .env("MYMT5_SIM_SHRINK", "0")
            .output()
            .expect("cargo");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let cried = String::from_utf8_lossy(&output.stderr).into_owned();
        Run {
            passes: output.status.success(),
            seconds: begun.elapsed().as_secs_f64(),
            verdict: verdict(&told, &cried),
        }
    }

    /// Cargo as a user would call it, for the copy. What the cargo that runs this test set would make
    /// much be built again.
    fn cargo(&self, arguments: &[&str]) -> Command {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            let of_cargo = name.starts_with("CARGO_") && name != "CARGO_HOME";
            if of_cargo || name.starts_with("MYMT5_") {
                command.env_remove(name.as_ref());
            }
        }
        command
            .args(["test", "--offline", "--package", "mymt5-orders"])
            .args(["--test", "simulation"])
            .args(arguments)
            .env("CARGO_TARGET_DIR", &self.target)
            .current_dir(&self.workspace);
        command
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.workspace));
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("a file");
        }
    }
}

/// The workspace's manifest, but of the copied parts alone.
fn with_members(manifest: &str) -> String {
    let (before, rest) = manifest.split_once("\nmembers = [").expect("members");
    let (_, after) = rest.split_once("]\n").expect("an end of the members");
    let after = after
        .lines()
        .filter(|line| !line.starts_with("default-members"));
    let after: Vec<&str> = after.collect();
    format!("{before}\nmembers = {PARTS:?}\n{}\n", after.join("\n"))
}

/// The first line that tells how a run went: a seed that failed, a panic, or the sum of all.
fn verdict(told: &str, cried: &str) -> String {
    let failed = told.lines().find(|line| line.starts_with("seed "));
    let mut cries = cried.lines();
    let panicked = cries.find(|line| line.contains("panicked at"));
    let panicked = panicked.and_then(|_| cries.next());
    let sum = told.lines().find(|line| line.contains(" steps, seeds "));
    shortened(failed.or(panicked).or(sum).unwrap_or("no verdict"))
}

fn named(variable: &str, default: &str) -> String {
    env::var(variable).unwrap_or_else(|_| default.to_owned())
}

fn shortened(text: &str) -> String {
    text.chars().take(VERDICT).collect()
}
