//! `cargo demo`: the main job, on this machine, through the deployed stack. `cargo demo --stay` leaves it running.

use std::process::ExitCode;
use std::sync::mpsc;

use lastgood_tests::stage::{FUNCTIONS, Stage, StageError};
use lastgood_tests::tour;

/// What a shell takes for "ended by Ctrl-C".
const INTERRUPTED: i32 = 130;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let stay = match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => false,
        ["--stay"] => true,
        _ => {
            eprintln!("usage: cargo demo [--stay]");
            return ExitCode::from(2);
        }
    };
    // Ctrl-C only asks: what was started is stopped by its owner, here or below.
    let (interrupted, interruption) = mpsc::channel();
    if let Err(error) = ctrlc::set_handler(move || {
        let _ = interrupted.send(());
    }) {
        eprintln!("Ctrl-C can't be listened to: {error}");
        return ExitCode::FAILURE;
    }
    match run(stay, &interruption) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("demo: {}", lastgood_engine::chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(stay: bool, interruption: &mpsc::Receiver<()>) -> Result<ExitCode, StageError> {
    println!("Building the functions, and preparing MiniStack (the first time this takes some minutes) ...");
    let (stage, ground) = Stage::over("lastgood-demo", tour::ground)?;
    println!("Deployed infra/template.yaml as stack {}: {}.", stage.stack, FUNCTIONS.map(|(_, name)| name).join(", "));
    // The tour has a thread of its own, so that Ctrl-C ends the demo wherever the tour is.
    let (done, ended) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _ = done.send(tour::whole(&stage, &ground, |line| println!("{line}")));
        });
        let checks = loop {
            if interruption.try_recv().is_ok() {
                println!("Interrupted: stopping what was started.");
                stage.stop_servers();
                // The tour may be waiting for something that will not come any more.
                std::process::exit(INTERRUPTED);
            }
            match ended.recv_timeout(std::time::Duration::from_millis(100)) {
                Ok(checks) => break checks?,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(ExitCode::FAILURE),
            }
        };
        println!("\ndemo: {} checks passed, {} failed", checks.passed, checks.failed.len());
        if stay {
            look_around(&stage);
            let _ = interruption.recv();
            println!("Stopping what was started.");
        }
        Ok(if checks.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

/// How to look around with the AWS CLI and with `lastgood`.
fn look_around(stage: &Stage) {
    println!("\nEverything keeps running until Ctrl-C. In another shell:\n");
    for (name, value) in stage.operator_environment() {
        println!("  export {name}={value}");
    }
    let target = lastgood_tests::python::target_dir().unwrap_or_default();
    println!("  export PATH={}:$PATH\n", target.join("debug").display());
    println!("  lastgood status");
    println!("  lastgood backup {}", tour::GROUP);
    println!("  lastgood backups {} --json", tour::GROUP);
    println!("  aws ec2 describe-images --owners self");
    println!("  aws autoscaling describe-auto-scaling-groups");
    println!("  aws dynamodb scan --table-name {}", stage.output("TableName"));
    println!("  aws logs tail /aws/lambda/{}/backup-tick", stage.stack);
    println!("  aws sqs receive-message --queue-url {}\n", stage.queue);
}
