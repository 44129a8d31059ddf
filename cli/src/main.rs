//! `lastgood`: the operator's command. Reads the table, writes plans into it, and asks for backups on the bus; it
//! never touches an image, a snapshot or a group itself.

mod apply;
mod connect;
mod show;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use connect::Connection;

/// Keeps Auto Scaling groups launchable from their last good image.
#[derive(Debug, Parser)]
#[command(name = "lastgood", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    deployment: Deployment,
    /// Print JSON instead of a table.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

/// Which deployment is meant: its stack, or its table and bus.
#[derive(Debug, Args)]
struct Deployment {
    /// The CloudFormation stack; its outputs tell the table and the bus.
    #[arg(long, global = true, env = "LASTGOOD_STACK", value_name = "NAME")]
    stack: Option<String>,
    /// The DynamoDB table.
    #[arg(long, global = true, env = "LASTGOOD_TABLE", value_name = "NAME")]
    table: Option<String>,
    /// The EventBridge bus.
    #[arg(long, global = true, env = "LASTGOOD_BUS", value_name = "NAME")]
    bus: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what a plan file would change, then write it.
    Apply {
        /// The plan file (YAML).
        file: std::path::PathBuf,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        /// Also remove plans that the file does not name. The backups of their sources stay.
        #[arg(long)]
        prune: bool,
    },
    /// Each source: its last good backup, its next slot, and whether it is overdue or held.
    Status,
    /// The backups of a source, or of all, newest first.
    Backups {
        /// group/NAME, or the name alone.
        source: Option<String>,
    },
    /// Ask for a backup now, outside the schedule.
    Backup {
        /// group/NAME, or the name alone.
        source: String,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
        /// Who asks, for the record.
        #[arg(long, env = "USER", default_value = "an operator")]
        by: String,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let mut cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let said = |name: &str| matches.value_source(name) == Some(ValueSource::CommandLine);
    if said("stack") && (said("table") || said("bus")) {
        Cli::command().error(ErrorKind::ArgumentConflict, "say --stack, or --table and --bus, not both").exit();
    }
    if said("stack") {
        // What is said now is meant, whatever the environment says of another deployment.
        cli.deployment.table = None;
        cli.deployment.bus = None;
    }
    match Box::pin(run(cli)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// Why a command did not do what was asked, in the words that are printed.
type Failure = String;

async fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Apply { file, yes, prune } => {
            // A file that is wrong in itself is refused before anything is asked of AWS.
            let plans = apply::read(&file)?;
            let connection = Connection::open(&cli.deployment).await?;
            apply::apply(&connection, &file, &plans, &apply::Choices { yes, prune, json: cli.json }).await
        }
        Command::Status => show::status(&Connection::open(&cli.deployment).await?, cli.json).await,
        Command::Backups { source } => {
            show::backups(&Connection::open(&cli.deployment).await?, source.as_deref(), cli.json).await
        }
        Command::Backup { source, reason, by } => {
            let connection = Connection::open_with_bus(&cli.deployment).await?;
            show::request(&connection, &source, by, reason, cli.json).await
        }
    }
}
