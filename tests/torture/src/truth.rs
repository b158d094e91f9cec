//! Reading everything at the end: through REST at each process, and straight from the database.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use parlour_engines::Database;
use parlour_harness::{
    final_read::from_database,
    history::{FinalRead, Message, Recorder, What},
};
use serde_json::Value;

use crate::{cluster::Cluster, people::Talk, phase::Marks};

/// All messages of a conversation, as a process gives them to a user.
///
/// # Errors
/// When it does not.
pub async fn messages(
    cluster: &Cluster,
    node: usize,
    user: &str,
    conversation: u64,
) -> Result<Vec<Message>> {
    let values = cluster.rest(node, user)?.all_messages(conversation).await?;
    let read = values
        .iter()
        .map(|value| Message::from_wire(value).with_context(|| format!("no message: {value}")));
    read.collect()
}

/// Where a conversation ends, everybody's marks, and what the user has not read.
///
/// # Errors
/// When the process does not tell.
pub async fn head(
    cluster: &Cluster,
    node: usize,
    user: &str,
    conversation: u64,
) -> Result<(u64, Marks, u64)> {
    let path = format!("/api/v1/conversations/{conversation}");
    let body = cluster.rest(node, user)?.get(&path).await?.ok()?;
    let number = |value: &Value, field: &str| {
        value[field].as_u64().with_context(|| format!("no {field} in {value}"))
    };
    let mut marks = BTreeMap::new();
    for participant in body["participants"].as_array().into_iter().flatten() {
        let user = participant["user_id"].as_str().context("a participant without a user")?;
        let both = (number(participant, "delivered_seq")?, number(participant, "read_seq")?);
        marks.insert(user.to_owned(), both);
    }
    Ok((number(&body, "last_seq")?, marks, number(&body, "unread_count")?))
}

/// Records what each process gives to the users of each conversation.
///
/// # Errors
/// When one does not.
pub async fn record_rest(cluster: &Cluster, talks: &[Talk], recorder: &Recorder) -> Result<()> {
    let as_of = recorder.len();
    for (index, talk) in talks.iter().enumerate() {
        for node in 0..cluster.nodes.len() {
            // Another user at each process, so that many are asked.
            let Some(user) = talk.lasting.get((index + node) % talk.lasting.len().max(1)) else {
                continue;
            };
            let source = format!("rest:{user}:{node}");
            let (conversation, messages) = (talk.id, messages(cluster, node, user, talk.id).await?);
            let (_, marks, unread) = head(cluster, node, user, talk.id).await?;
            recorder.add(What::Final(FinalRead {
                source: source.clone(),
                as_of,
                conversation,
                from: 0,
                last_seq: None,
                messages,
                others: Vec::new(),
                complete: false,
            }));
            recorder.add(What::Marks { source, conversation, marks, unread: Some(unread) });
        }
    }
    Ok(())
}

/// Records what the database holds. The processes have ended.
///
/// # Errors
/// When it cannot be read, or is damaged.
pub fn record_database(cluster: &Cluster, recorder: &Recorder) -> Result<()> {
    let as_of = recorder.len();
    if let Some(truth) = &cluster.truth {
        for read in from_postgres(&truth.database, as_of)? {
            recorder.add(What::Final(read));
        }
        return Ok(());
    }
    for node in &cluster.nodes {
        for read in from_database(&node.server.database(), as_of)? {
            recorder.add(What::Final(read));
        }
    }
    Ok(())
}

/// Every conversation of a PostgreSQL database.
///
/// # Errors
/// When it cannot be read.
pub fn from_postgres(database: &Database, as_of: usize) -> Result<Vec<FinalRead>> {
    let mut reads: BTreeMap<u64, FinalRead> = BTreeMap::new();
    let number = |value: &Value, field: &str| {
        value[field].as_u64().with_context(|| format!("no {field} in {value}"))
    };
    for row in rows(database, "SELECT id, last_seq FROM conversations")? {
        let conversation = number(&row, "id")?;
        let read = FinalRead {
            source: "database".into(),
            as_of,
            conversation,
            from: 0,
            last_seq: Some(number(&row, "last_seq")?),
            messages: Vec::new(),
            others: Vec::new(),
            complete: true,
        };
        reads.insert(conversation, read);
    }
    let messages = "SELECT conversation, id, seq, change_seq, sender, client_id, text FROM messages ORDER BY conversation, seq";
    for row in rows(database, messages)? {
        let text = |field: &str| row[field].as_str().map(str::to_owned);
        let message = Message {
            id: number(&row, "id")?,
            seq: number(&row, "seq")?,
            change_seq: number(&row, "change_seq")?,
            sender: text("sender").context("a message of nobody")?,
            client_id: text("client_id"),
            content: text("text"),
        };
        let read = reads.get_mut(&number(&row, "conversation")?);
        read.context("a message of no conversation")?.messages.push(message);
    }
    let others = "SELECT conversation, seq FROM changes UNION ALL SELECT m.conversation, r.seq FROM revisions r \
                  JOIN messages m ON m.id = r.message WHERE r.seq NOT IN (m.seq, m.change_seq)";
    for row in rows(database, others)? {
        if let Some(read) = reads.get_mut(&number(&row, "conversation")?) {
            read.others.push(number(&row, "seq")?);
        }
    }
    Ok(reads.into_values().collect())
}

/// The rows of a query, each as an object.
fn rows(database: &Database, query: &str) -> Result<Vec<Value>> {
    let text = database.run(&format!("SELECT row_to_json(q) FROM ({query}) q"))?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}
