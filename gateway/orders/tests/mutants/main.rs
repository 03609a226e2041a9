//! Who judges the judges: deliberate faults in the core, one at a time, each of which the simulation
//! must catch. `MYMT5_MUTANTS=1` runs them all, `MYMT5_MUTANTS=name,name` some.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod list;
mod workshop;

use list::{MUTANTS, Mutant};
use std::{collections::BTreeSet, env, fs, path::Path};
use workshop::{Workshop, crate_root};

/// Which mutants run; none: nobody asked.
fn wanted() -> Option<Vec<&'static Mutant>> {
    let names = env::var("MYMT5_MUTANTS").ok()?;
    if names == "1" {
        return Some(MUTANTS.iter().collect());
    }
    let named = |name: &str| {
        let mut mutants = MUTANTS.iter();
        let found = mutants.find(|mutant| mutant.name == name);
        found.unwrap_or_else(|| panic!("no mutant {name:?}"))
    };
    Some(names.split(',').map(named).collect())
}

/// The mutant's file with the fault in it.
fn mutated(root: &Path, mutant: &Mutant) -> String {
    let path = root.join("src").join(mutant.file);
    let text = fs::read_to_string(&path).expect("a source file");
    let places = text.matches(mutant.source).count();
    let (name, file) = (mutant.name, mutant.file);
    assert_eq!(places, 1, "{name}: places of its text in {file}");
    text.replacen(mutant.source, mutant.mutant, 1)
}

#[test]
fn every_mutant_has_its_place() {
    let names: BTreeSet<&str> = MUTANTS.iter().map(|mutant| mutant.name).collect();
    assert_eq!(names.len(), MUTANTS.len(), "names are unique");
    assert!(names.len() >= 20, "{} mutants", names.len());
    for mutant in MUTANTS {
        assert!(!mutant.harm.is_empty(), "{}: no harm", mutant.name);
        assert_ne!(mutant.source, mutant.mutant, "{}", mutant.name);
        mutated(crate_root(), mutant);
    }
}

#[test]
fn the_simulation_catches_every_mutant() {
    let Some(mutants) = wanted() else {
        println!("MYMT5_MUTANTS=1 runs {} mutants", MUTANTS.len());
        return;
    };
    let workshop = Workshop::open();
    workshop.build().expect("the core builds");
    let sound = workshop.run();
    let (passes, verdict) = (sound.passes, sound.verdict);
    assert!(passes, "the core fails without any mutant: {verdict}");
    println!("no mutant: {verdict}");
    let mut wrong = Vec::new();
    for mutant in mutants {
        let told = judge(&workshop, mutant);
        let (caught, line) = match &told {
            Ok(line) => (true, line),
            Err(line) => (false, line),
        };
        println!("{}: {line}", mutant.name);
        if !caught {
            wrong.push(format!("{}: {line} {}", mutant.name, mutant.harm));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How a mutant was caught, or why not.
fn judge(workshop: &Workshop, mutant: &Mutant) -> Result<String, String> {
    let sound = workshop.write(mutant.file, &mutated(workshop.core(), mutant));
    let built = workshop.build();
    let run = built.is_ok().then(|| workshop.run());
    workshop.write(mutant.file, &sound);
    built.map_err(|why| format!("does not compile: {why}"))?;
    let run = run.expect("a run of what was built");
    if run.passes {
        return Err(format!("survives {:.0} s.", run.seconds));
    }
    Ok(format!(
        "caught after {:.1} s: {}",
        run.seconds, run.verdict
    ))
}
