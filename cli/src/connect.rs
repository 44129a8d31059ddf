//! Finding the deployment that is meant, and asking its table for sources.

use lastgood_aws::{Lastgood, Table, Topics, deployed, load_for_operator};
use lastgood_core::id::SourceId;
use lastgood_core::plan::may::May;
use lastgood_core::record::Record;
use lastgood_core::source::Source;
use lastgood_engine::{Store, Versioned, chain};

use crate::say::warn;
use crate::{Deployment, Failure};

/// A deployment, ready to be asked.
pub(crate) struct Connection {
    pub(crate) lastgood: Lastgood,
    /// Who is told; known by its stack alone.
    pub(crate) topics: Option<Topics>,
    /// What plans may ask of it; known by its stack alone.
    pub(crate) may: Option<May>,
}

impl Connection {
    /// The deployment's table, and AWS.
    pub(crate) async fn open(deployment: &Deployment) -> Result<Self, Failure> {
        let config = load_for_operator().await;
        let (mut topics, mut may) = (None, None);
        let settings = match (&deployment.stack, &deployment.table) {
            (_, Some(table)) => {
                let bus = deployment.bus.as_deref().unwrap_or_default();
                Table::settings(&config, table, bus).await.map_err(|error| chain(&error))?
            }
            (Some(stack), None) => {
                let deployed = deployed(&config, stack).await.map_err(|error| chain(&error))?;
                topics = Some(deployed.topics);
                may = Some(deployed.may);
                deployed.settings
            }
            (None, None) => {
                return Err("which deployment? say --stack NAME, or --table NAME and --bus NAME (or set LASTGOOD_STACK, or LASTGOOD_TABLE and LASTGOOD_BUS)".into());
            }
        };
        Ok(Self { lastgood: Lastgood::new(&config, &settings), topics, may })
    }

    /// The same, and its bus, which must be there: a bus that is not takes every request and drops it.
    pub(crate) async fn open_with_bus(deployment: &Deployment) -> Result<Self, Failure> {
        if deployment.table.is_some() && deployment.bus.is_none() {
            return Err("which bus? say --bus NAME or set LASTGOOD_BUS".into());
        }
        let connection = Self::open(deployment).await?;
        match connection.lastgood.bus.check().await {
            Ok(Ok(())) => Ok(connection),
            Ok(Err(refusal)) => Err(format!("the bus can't be used: {refusal}")),
            Err(error) => Err(chain(&error)),
        }
    }

    pub(crate) async fn sources(&self) -> Result<Vec<Source>, Failure> {
        self.all::<Source>(&()).await
    }

    /// Every record of a list that can be read. Of each that can't, standard error has a line.
    pub(crate) async fn all<R: Record>(&self, of: &R::Of) -> Result<Vec<R>, Failure> {
        let listed = self.lastgood.table.read::<R>(of).await.map_err(|error| chain(&error))?;
        for one in &listed.unreadable {
            warn(format_args!("warning: {}", chain(one)));
        }
        Ok(listed.records.into_iter().map(|Versioned { record, .. }| record).collect())
    }

    /// The source that is meant by `group/NAME`, or by the name alone if only one is called so.
    pub(crate) async fn source(&self, text: &str) -> Result<Source, Failure> {
        let sources = self.sources().await?;
        let whole: Option<SourceId> = text.parse().ok();
        let meant = sources.iter().find(|source| Some(&source.id) == whole.as_ref());
        let named: Vec<&Source> = sources.iter().filter(|source| source.id.name() == text).collect();
        if meant.is_none() && named.len() > 1 {
            let ids: Vec<_> = named.iter().map(|source| source.id.to_string()).collect();
            return Err(format!("several are named '{text}'; write one of {}", ids.join(", ")));
        }
        let meant = meant.or_else(|| named.first().copied());
        meant.cloned().ok_or_else(|| match sources.as_slice() {
            [] => format!("there is no source '{text}': no plan is applied yet"),
            some => {
                let known: Vec<_> = some.iter().map(|source| source.id.to_string()).collect();
                format!("there is no source '{text}'; there are {}", known.join(", "))
            }
        })
    }
}
