//! What waits: the header, pages of the queue, dead letters.

use super::core::{Core, Sight, record_value, refuse};
use super::view::{BLIND_REASON, withhold};
use crate::domain::{DATAOPS, Kind, Reviewer, Role};
use crate::protocol::{
    Filter, Header, Page, PageAsk, QueueView, Refused, RefusedLine, Reply, Row, Why,
};
use crate::store::{PageQuery, QueueCount, StoredRow};

/// Rows looked through by one call of a free-text filter: an answer within a frame or two.
const SCAN: usize = 4_000;

impl Core {
    /// Who am I, what waits, how is automation.
    pub(super) fn header(&self, by: &str) -> Result<Header, Refused> {
        self.header_for(self.actor(by)?)
    }

    /// The header for this process itself: nobody has to be registered for it.
    pub(super) fn own_header(&self) -> Result<Header, Refused> {
        self.header_for(Reviewer {
            name: "system".into(),
            level: 1,
            roles: Vec::new(),
            key: None,
            skills: Vec::new(),
            disabled: false,
            version: 0,
        })
    }

    fn header_for(&self, reviewer: Reviewer) -> Result<Header, Refused> {
        let sight = self.sight()?;
        let automation = match &sight.policy {
            Some(_) => super::contain::automation(sight.control.as_deref()),
            None if sight.snapshot.policy.is_some() => {
                "policy unreadable: everything goes to people".to_owned()
            }
            None => "no policy: everything goes to people".to_owned(),
        };
        let backends = self.backend_views(&sight)?;
        Ok(Header {
            store: self.name.clone(),
            now: sight.now,
            clock: if sight.snapshot.record_clock { "record" } else { "wall" }.into(),
            queues: self.queue_views(&sight, &reviewer.name)?,
            reviewer,
            automation,
            generation: sight.snapshot.generation,
            policy: sight.policy.as_ref().map(|p| p.name().to_owned()),
            unsent: (!backends.is_empty()).then(|| backends.iter().map(|b| b.to_send).sum()),
            backends: backends.len() as u64,
            failing: backends.iter().filter(|b| b.failing || b.dead > 0).count() as u64,
            head: sight.snapshot.head,
            drift: self.how_it_stands(sight.now)?.drift,
            decisions: sight.snapshot.decisions,
            automatic: sight.snapshot.automatic,
            outbox: None,
        })
    }

    /// Every queue of the policy, and any other that still has items, with counters.
    pub(super) fn queue_views(&self, sight: &Sight, by: &str) -> Result<Vec<QueueView>, Refused> {
        let mut counts = self.store.queues(sight.now, sight.wall).map_err(refuse)?;
        let mut views = Vec::new();
        if let Some(policy) = &sight.policy {
            for queue in policy.queues() {
                let at = counts.iter().position(|c| c.queue == queue.name);
                let count = at.map(|i| counts.swap_remove(i));
                views.push(QueueView {
                    title: queue.title.clone(),
                    level: queue.level,
                    signed: queue.signed,
                    escalates_to: queue.escalates_to.clone(),
                    skills: queue.skills.clone(),
                    capacity: queue.capacity,
                    ..view(&queue.name, count, by)
                });
            }
        }
        for count in counts {
            views.push(view(&count.queue.clone(), Some(count), by));
        }
        for view in &mut views {
            let holders = std::mem::take(&mut view.people);
            view.people = self.with_those_here(sight.wall, &view.name, holders)?;
        }
        views.sort_by(|a, b| {
            let key = |q: &QueueView| (q.name == DATAOPS, q.level, q.name.clone());
            key(a).cmp(&key(b))
        });
        Ok(views)
    }

    /// A page of rows in queue order.
    pub(super) fn page(&self, by: &str, ask: PageAsk) -> Result<Page, Refused> {
        let actor = self.actor(by)?;
        let sight = self.sight()?;
        let f = &ask.filter;
        if let Some(name) = &f.queue {
            let known = self.queue_views(&sight, by)?;
            if !known.iter().any(|q| q.name == *name) {
                let names: Vec<&str> = known.iter().map(|q| q.name.as_str()).collect();
                return Err(Refused::new(Why::NotFound, format!("there is no queue {name}"))
                    .hint(format!("the queues are {}", names.join(", "))));
            }
        }
        if ask.here {
            self.here(&sight, &actor, f.queue.as_deref());
        }
        let wanted = f.clone();
        let text = f.text.clone();
        let mine = f.mine && f.queue.is_none() && f.level.is_none() && !f.by_me;
        let limit = ask.limit.clamp(1, 500);
        let mut query = PageQuery {
            up_to: mine.then_some(actor.level),
            filter: ask.filter,
            by: by.to_owned(),
            after: ask.after,
            before: ask.before,
            from_end: ask.from_end,
            limit,
            scan: SCAN,
            wall: Some(sight.wall),
        };
        let backward = query.before.is_some() || query.from_end;
        let mut items: Vec<Row> = Vec::new();
        let mut scanned = 0;
        // What may not be found counts like what was not found: where the page ends, and how far
        // was looked, follow from what is shown alone.
        let (next, total) = loop {
            let page = self.store.page(&query).map_err(refuse)?;
            if page.total == 0 {
                self.nothing_so_called(&sight, &wanted)?;
            }
            scanned += page.scanned;
            let mut found = Vec::with_capacity(page.rows.len());
            for row in page.rows {
                let id = row.item.id.clone();
                let row = self.row(&sight, by, row)?;
                if self.may_be_found(&sight, &id, row.blind, text.as_deref())? {
                    found.push(row);
                }
            }
            match backward {
                true => drop(items.splice(0..0, found)),
                false => items.extend(found),
            }
            query.limit = limit.saturating_sub(items.len());
            query.scan = SCAN.saturating_sub(usize::try_from(scanned).unwrap_or(SCAN));
            let more = query.limit > 0 && query.scan > 0 && text.is_some();
            match page.next {
                Some(on) if more && backward => (query.before, query.from_end) = (Some(on), false),
                Some(on) if more => query.after = Some(on),
                next => break (next, page.total),
            }
        };
        Ok(Page { items, next, total, scanned })
    }

    /// An empty queue and a word that nothing ever had are not the same: the second is said.
    fn nothing_so_called(&self, sight: &Sight, wanted: &Filter) -> Result<(), Refused> {
        let Filter { domain, rule, tag, level, .. } = wanted;
        if domain.is_none() && rule.is_none() && tag.is_none() && level.is_none() {
            return Ok(());
        }
        let seen = self.store.seen().map_err(refuse)?;
        let policy = sight.policy.as_deref();
        if let Some(domain) = domain.as_ref().filter(|d| !seen.actions.contains_key(*d)) {
            return Err(unknown("domain", domain, seen.actions.keys().map(String::as_str)));
        }
        if let Some(rule) = rule
            .as_ref()
            .filter(|r| !seen.rules.contains(*r) && policy.is_none_or(|p| p.rule_kind(r).is_none()))
        {
            return Err(unknown("rule", rule, seen.rules.iter().map(String::as_str)));
        }
        let tags = policy.map_or(&[][..], |p| p.tags());
        if let Some(tag) = tag.as_ref().filter(|t| !tags.iter().any(|known| known.id == **t)) {
            return Err(unknown("tag", tag, tags.iter().map(|t| t.id.as_str())));
        }
        if let Some(level) = level.filter(|l| !(1..=3).contains(l)) {
            return Err(Refused::new(Why::NotFound, format!("there is no level {level}"))
                .hint("the levels are 1, 2 and 3"));
        }
        Ok(())
    }

    /// Free text finds an item by what is shown of it: never by a blind proposal or by what is
    /// redacted.
    fn may_be_found(
        &self,
        sight: &Sight,
        id: &str,
        blind: bool,
        text: Option<&str>,
    ) -> Result<bool, Refused> {
        let cover = sight.cover();
        let Some(text) = text.filter(|t| !t.is_empty() && (blind || cover.hides())) else {
            return Ok(true);
        };
        let stored = self.store.decision(id).map_err(refuse)?;
        let mut record = record_value(stored.and_then(|s| s.raw).as_deref());
        cover.record(&mut record);
        if blind {
            withhold(&mut record);
        }
        Ok(record.to_string().to_lowercase().contains(&text.to_lowercase()))
    }

    fn row(&self, sight: &Sight, by: &str, row: StoredRow) -> Result<Row, Refused> {
        let StoredRow { item, columns, rule, reason, lease, cursor } = row;
        let blind = self.withheld(&item, by)?;
        let faulty = item.kind == Kind::Quarantine;
        Ok(Row {
            level: sight.level(&item.queue),
            business_impact: columns.business_impact,
            confidence: columns.confidence.filter(|_| !blind),
            action: Some(columns.action).filter(|a| !(blind || faulty && a.is_empty())),
            domain: columns.domain,
            model: format!("{} {}", columns.model, columns.version).trim().to_owned(),
            rule,
            reason: if blind { BLIND_REASON.into() } else { reason },
            leased_by: lease.map(|l| l.reviewer),
            id: item.id,
            queue: item.queue,
            state: item.state,
            kind: item.kind,
            due_at: item.due_at,
            revision: item.revision,
            priority: item.priority,
            blind,
            cursor,
        })
    }

    /// Dead letters, oldest first.
    pub(super) fn refused(&self, by: &str, after: u64, limit: usize) -> Result<Reply, Refused> {
        let actor = self.actor(by)?;
        let may = [Role::Reviewer, Role::Expert, Role::Compliance, Role::Auditor, Role::Admin];
        if actor.disabled || !may.into_iter().any(|r| actor.has(r)) {
            return Err(Refused::new(Why::Authority, format!("{by} may not read dead letters")));
        }
        let limit = limit.clamp(1, 1_000);
        let letters = self.store.dead_letters(after, limit).map_err(refuse)?;
        let next = letters.last().filter(|_| letters.len() == limit).map(|l| l.number);
        let refused = letters
            .into_iter()
            .map(|l| RefusedLine {
                number: l.number,
                source: l.letter.source,
                line: l.letter.line,
                reason: l.letter.reason,
                message: l.letter.message,
                bytes: l.letter.bytes,
            })
            .collect();
        Ok(Reply::Refused { refused, next })
    }
}

/// Nothing has this name; what comes near it, or what there is.
pub(super) fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Refused {
    let mut near: Vec<(usize, &str)> = known
        .filter(|k| !k.is_empty())
        .map(|k| (strsim::damerau_levenshtein(k, name), k))
        .collect();
    near.sort_unstable();
    let close: Vec<&str> =
        near.iter().filter(|(far, k)| *far <= k.len().max(3) / 3).map(|(_, k)| *k).collect();
    let hint = match (close.is_empty(), near.is_empty()) {
        (false, _) => format!("did you mean {}?", close.join(" or ")),
        (true, false) => {
            let some: Vec<&str> = near.iter().take(12).map(|(_, k)| *k).collect();
            format!("there is {}", some.join(", "))
        }
        (true, true) => format!("nothing has a {what} yet"),
    };
    Refused::new(Why::NotFound, format!("nothing has the {what} {name}")).hint(hint)
}

fn view(name: &str, count: Option<QueueCount>, by: &str) -> QueueView {
    let count = count.unwrap_or(QueueCount {
        queue: name.to_owned(),
        waiting: 0,
        leased: Default::default(),
        late: 0,
        due_soon: 0,
    });
    let leased = count.leased.values().sum();
    let held_by_me = count.leased.get(by).copied().unwrap_or(0);
    QueueView {
        name: name.to_owned(),
        title: name.to_owned(),
        level: 1,
        waiting: count.waiting,
        leased,
        held_by_others: leased - held_by_me,
        // Those who have one of its items in hand; who only looks is added by whoever asks.
        people: count.leased.into_keys().collect(),
        skills: Vec::new(),
        capacity: None,
        late: count.late,
        due_soon: count.due_soon,
        signed: false,
        escalates_to: None,
    }
}
