use std::time::SystemTime;

use celeriac_mutex::Kind;

use super::{Target, view};
use crate::{Error, config::LockStore, output::Output};

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Show {
    #[command(flatten)]
    target: Target,
}

impl Show {
    pub(crate) async fn run(&self, kinds: &[Kind], output: Output, store: &LockStore) -> Result<(), Error> {
        let state = self.target.find(kinds, store).await?;
        output.show(&view::document(&state), || view::people(&state, SystemTime::now()))
    }
}
