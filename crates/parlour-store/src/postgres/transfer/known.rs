//! What a batch of history names and is here already, asked for at once: import keys, external ids, places of messages.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use parlour_core::{
    ConversationId, Seq,
    port::store::transfer::{History, KeyKind, Place, ReadUpTo},
};

use super::dump_rows;
use crate::{
    postgres::{
        batch::Tx,
        db::{Db, Step},
        rows::{int, integer, number, seq, shared},
    },
    transfer::{Shift, State, key_kind},
};

/// What was imported under a host's id.
struct Key {
    target: u64,
    state: State,
    /// Where a message is.
    place: Option<(ConversationId, Seq)>,
}

/// What is here, with what the batch has added to it.
pub(super) struct Known {
    source: Arc<str>,
    /// By kind, as it is stored.
    keys: HashMap<(i64, Arc<str>), Key>,
    externals: HashMap<Arc<str>, ConversationId>,
    /// Keys that are to be written.
    fresh: BTreeSet<(i64, Arc<str>)>,
}

impl Known {
    pub(super) async fn load(db: &Db, source: &Arc<str>, records: &[History]) -> Step<Self> {
        let mut named = BTreeSet::new();
        for record in records {
            name(record, &mut named);
        }
        let (kinds, ids): (Vec<i64>, Vec<&str>) =
            named.iter().map(|(kind, id)| (key_kind(*kind), *id)).unzip();
        let keys = db
            .send(
                "SELECT k.kind::bigint, k.host_id, k.target, k.state, m.conversation, m.seq \
                 FROM unnest($2::bigint[], $3::text[]) AS w (kind, host_id) \
                   JOIN import_keys k ON k.source = $1 AND k.kind = w.kind AND k.host_id = w.host_id \
                   LEFT JOIN messages m ON k.kind = 2 AND m.id = k.target",
                &[&&**source, &kinds, &ids],
            )
            .await?;
        let of_conversations = named.iter().filter(|(kind, _)| *kind == KeyKind::Conversation);
        let externals: Vec<&str> = of_conversations.map(|(_, id)| *id).collect();
        let sql = "SELECT external_id, id FROM conversations WHERE external_id = ANY($1)";
        let externals = db.send(sql, &[&externals]).await?;
        let keys = keys
            .all(|row| {
                let place = match row.try_get::<_, Option<i64>>(4)? {
                    Some(_) => Some((ConversationId(number(row, 4)?), seq(row, 5)?)),
                    None => None,
                };
                let key = Key { target: number(row, 2)?, state: dump_rows::state(row, 3)?, place };
                Ok(((integer(row, 0)?, shared(row, 1)?), key))
            })
            .await?;
        let externals =
            externals.all(|row| Ok((shared(row, 0)?, ConversationId(number(row, 1)?)))).await?;
        Ok(Self {
            source: source.clone(),
            keys: keys.into_iter().collect(),
            externals: externals.into_iter().collect(),
            fresh: BTreeSet::new(),
        })
    }

    /// What was imported under this id, and in which state.
    pub(super) fn find(&self, kind: KeyKind, host_id: &Arc<str>) -> Option<(u64, State)> {
        self.key(kind, host_id).map(|key| (key.target, key.state))
    }

    /// Where the message is that was imported under this id.
    pub(super) fn place(&self, host_id: &Arc<str>) -> Option<(ConversationId, Seq)> {
        self.key(KeyKind::Message, host_id)?.place
    }

    fn key(&self, kind: KeyKind, host_id: &Arc<str>) -> Option<&Key> {
        self.keys.get(&(key_kind(kind), host_id.clone()))
    }

    /// The conversation under the host's id: imported, or made by the host over the API.
    pub(super) fn conversation(&self, host_id: &Arc<str>) -> Option<ConversationId> {
        let imported = self.find(KeyKind::Conversation, host_id).map(|(id, _)| ConversationId(id));
        imported.or_else(|| self.externals.get(host_id).copied())
    }

    /// A conversation has got its external id.
    pub(super) fn name_conversation(&mut self, host_id: &Arc<str>, id: ConversationId) {
        self.externals.insert(host_id.clone(), id);
    }

    /// Remembers what was imported under this id, and in which state.
    pub(super) fn keep(&mut self, kind: KeyKind, host_id: &Arc<str>, target: u64, state: State) {
        let name = (key_kind(kind), host_id.clone());
        self.fresh.insert(name.clone());
        self.keys.entry(name).or_insert(Key { target, state, place: None }).state = state;
    }

    /// The same for a message, with its place.
    pub(super) fn keep_message(
        &mut self,
        host_id: &Arc<str>,
        target: u64,
        state: State,
        place: (ConversationId, Seq),
    ) {
        self.keep(KeyKind::Message, host_id, target, state);
        if let Some(key) = self.keys.get_mut(&(key_kind(KeyKind::Message), host_id.clone())) {
            key.place.get_or_insert(place);
        }
    }

    /// A log has moved.
    pub(super) fn shift(&mut self, conversation: ConversationId, shift: &Shift) {
        for key in self.keys.values_mut() {
            if let Some((at, seq)) = &mut key.place
                && *at == conversation
            {
                *seq = shift.of(*seq);
            }
        }
    }

    /// Writes what is to be remembered.
    pub(super) async fn save(&mut self, tx: &mut Tx) -> Step<()> {
        let fresh = std::mem::take(&mut self.fresh);
        let (mut kinds, mut ids, mut targets, mut states) = (vec![], vec![], vec![], vec![]);
        for name in &fresh {
            if let Some(key) = self.keys.get(name) {
                kinds.push(name.0);
                ids.push(&*name.1);
                targets.push(int(key.target));
                states.push(key.state.as_slice());
            }
        }
        tx.send(
            "INSERT INTO import_keys (source, kind, host_id, target, state) \
             SELECT $1, w.kind, w.host_id, w.target, w.state \
             FROM unnest($2::bigint[], $3::text[], $4::bigint[], $5::bytea[]) \
               AS w (kind, host_id, target, state) \
             ON CONFLICT (source, kind, host_id) DO UPDATE SET state = excluded.state",
            &[&&*self.source, &kinds, &ids, &targets, &states],
        )
        .await
    }
}

/// What a record names under a host's id.
fn name<'a>(record: &'a History, named: &mut BTreeSet<(KeyKind, &'a str)>) {
    let mut place = |place: &'a Place| {
        if let Place::Conversation(id) = place {
            named.insert((KeyKind::Conversation, id));
        }
    };
    match record {
        History::User(user) => drop(named.insert((KeyKind::User, user.profile.id.as_str()))),
        History::Conversation(host) => drop(named.insert((KeyKind::Conversation, &host.host_id))),
        History::Message(message) => {
            place(&message.place);
            named.insert((KeyKind::Message, &message.host_id));
            named.extend(message.reply_to.iter().map(|id| (KeyKind::Message, &**id)));
        }
        History::Read(read) => {
            place(&read.place);
            if let ReadUpTo::Message(id) = &read.up_to {
                named.insert((KeyKind::Message, id));
            }
        }
    }
}
