//! `lastgood`: the operator's command. Reads the table, writes plans into it, and asks for backups on the bus; it
//! never touches an image, a snapshot or a group itself.

mod apply;
mod ask;
mod connect;
mod diff;
mod notices;
mod rollouts;
mod say;
mod show;

use std::process::ExitCode;

use ask::{Asker, Wish};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use connect::Connection;
use lastgood_core::rollout::Verdict;
use lastgood_core::text::reference;
use lastgood_engine::apply::Absent;

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
        /// Also remove plans that the file does not name. What becomes of their sources' backups is asked, or stands
        /// under 'removed' in the file.
        #[arg(long)]
        prune: bool,
        /// Only show what would change.
        #[arg(long, conflicts_with = "yes")]
        dry_run: bool,
    },
    /// Each source: its last good backup, its next slot, and whether it is overdue or held.
    Status,
    /// The backups of a source, or of all, newest first.
    Backups {
        /// group/NAME, or the name alone.
        #[arg(value_parser = reference)]
        source: Option<String>,
    },
    /// Ask for a backup now, outside the schedule.
    Backup {
        /// group/NAME, or the name alone.
        #[arg(value_parser = reference)]
        source: String,
        #[command(flatten)]
        asker: Asker,
    },
    /// Publish nothing of a source until it is released. Backups are made and deleted as before.
    Hold {
        /// group/NAME, or the name alone.
        #[arg(value_parser = reference)]
        source: String,
        #[command(flatten)]
        asker: Asker,
    },
    /// Publish again what is held: the newest good image replaces whatever is there now, whoever put it there.
    Release {
        /// group/NAME, or the name alone.
        #[arg(value_parser = reference)]
        source: String,
        #[command(flatten)]
        asker: Asker,
    },
    /// Pass the next slot of a source over.
    Skip {
        /// group/NAME, or the name alone.
        #[arg(value_parser = reference)]
        source: String,
        #[command(flatten)]
        asker: Asker,
    },
    /// Keep a backup, whatever its plan says.
    Pin {
        /// group/NAME@20260115T103000Z, as `backups --json` tells it.
        #[arg(value_parser = reference)]
        backup: String,
        #[command(flatten)]
        asker: Asker,
    },
    /// Keep a backup as its plan says again.
    Unpin {
        /// group/NAME@20260115T103000Z.
        #[arg(value_parser = reference)]
        backup: String,
        #[command(flatten)]
        asker: Asker,
    },
    /// The rollouts of a group, or of all, newest first: how far each is, and what its pauses wait for.
    Rollouts {
        /// group/NAME, or the name alone.
        #[arg(value_parser = reference)]
        source: Option<String>,
    },
    /// Give a group an image in one step, whoever made it: its members are replaced as its plan says, pauses and verdicts
    /// included. If it is rolled back all is as before; if not, backups go on from it.
    SetImage {
        /// group/NAME, or the name alone.
        #[arg(value_parser = reference)]
        source: String,
        /// The image: ami-….
        #[arg(value_parser = reference)]
        image: String,
        /// Replace no member: only what is launched from now on has the image.
        #[arg(long)]
        no_refresh: bool,
        #[command(flatten)]
        asker: Asker,
    },
    /// Say whether a rollout that pauses goes on. To roll back may be said at any time while it goes.
    Verdict {
        /// group/NAME@20260115T103000Z, with /set-image behind it if an operator asked for it, as `rollouts` tells it.
        #[arg(value_parser = reference)]
        rollout: String,
        /// What.
        verdict: Said,
        #[command(flatten)]
        asker: Asker,
    },
    /// See whether notices arrive.
    Notices {
        #[command(subcommand)]
        what: Notices,
    },
    /// Print the JSON Schema of plan files, for editors.
    Schema,
}

#[derive(Debug, Subcommand)]
enum Notices {
    /// Have a notice sent the way of all notices, and say who is subscribed to get it. Fails if nobody is.
    Test {
        /// Who asks, for the record: one line of at most 128 characters.
        #[arg(long, env = "USER", default_value = "an operator")]
        by: lastgood_core::text::By,
    },
}

/// A person's verdict.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Said {
    /// The refresh goes on, when AWS's time at the checkpoint is over.
    GoOn,
    /// The group is given back what it launched from.
    RollBack,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let read = Cli::command().try_get_matches().and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    let (mut cli, matches) = match read {
        Ok(read) => read,
        Err(error) => return say::usage(&error),
    };
    let said = |name: &str| matches.value_source(name) == Some(ValueSource::CommandLine);
    if said("stack") && (said("table") || said("bus")) {
        let error = "say --stack, or --table and --bus, not both";
        return say::usage(&Cli::command().error(ErrorKind::ArgumentConflict, error));
    }
    if said("stack") {
        // What is said now is meant, whatever the environment says of another deployment.
        cli.deployment.table = None;
        cli.deployment.bus = None;
    }
    match Box::pin(run(cli)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say::warn(failure);
            ExitCode::FAILURE
        }
    }
}

/// Why a command did not do what was asked, in the words that are printed.
type Failure = String;

async fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Apply { file, yes, prune, dry_run } => {
            // A file that is wrong in itself is refused before anything is asked of AWS.
            let absent = if prune { Absent::Go } else { Absent::Stay };
            let plans = apply::read(&file)?;
            let connection = Connection::open(&cli.deployment).await?;
            apply::apply(&connection, plans, apply::Choices { yes, absent, dry_run, json: cli.json }).await
        }
        Command::Status => show::status(&Connection::open(&cli.deployment).await?, cli.json).await,
        Command::Backups { source } => {
            show::backups(&Connection::open(&cli.deployment).await?, source.as_deref(), cli.json).await
        }
        Command::Backup { source, asker } => {
            let connection = Connection::open_with_bus(&cli.deployment).await?;
            ask::backup(&connection, &source, asker, cli.json).await
        }
        Command::Hold { source, asker } => about_source(&cli.deployment, Wish::Hold, &source, asker, cli.json).await,
        Command::Release { source, asker } => {
            about_source(&cli.deployment, Wish::Release, &source, asker, cli.json).await
        }
        Command::Skip { source, asker } => about_source(&cli.deployment, Wish::Skip, &source, asker, cli.json).await,
        Command::Pin { backup, asker } => {
            let connection = Connection::open_with_bus(&cli.deployment).await?;
            ask::pin(&connection, &backup, asker, cli.json).await
        }
        Command::Unpin { backup, asker } => {
            let connection = Connection::open_with_bus(&cli.deployment).await?;
            ask::unpin(&connection, &backup, asker, cli.json).await
        }
        Command::Rollouts { source } => {
            rollouts::list(&Connection::open(&cli.deployment).await?, source.as_deref(), cli.json).await
        }
        Command::SetImage { source, image, no_refresh, asker } => {
            let connection = Connection::open_with_bus(&cli.deployment).await?;
            rollouts::set_image(&connection, &source, &image, !no_refresh, asker, cli.json).await
        }
        Command::Verdict { rollout, verdict, asker } => {
            let connection = Connection::open_with_bus(&cli.deployment).await?;
            let verdict = match verdict {
                Said::GoOn => Verdict::GoOn,
                Said::RollBack => Verdict::RollBack,
            };
            rollouts::verdict(&connection, &rollout, verdict, asker, cli.json).await
        }
        Command::Notices { what: Notices::Test { by } } => {
            notices::test(&Connection::open_with_bus(&cli.deployment).await?, by, cli.json).await
        }
        Command::Schema => say::say_json(lastgood_core::plan::schema()),
    }
}

async fn about_source(
    deployment: &Deployment,
    wish: Wish,
    source: &str,
    asker: Asker,
    json: bool,
) -> Result<(), Failure> {
    let connection = Connection::open_with_bus(deployment).await?;
    ask::about_source(&connection, wish, source, asker, json).await
}
