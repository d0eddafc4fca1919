//! A tree as an application edits it.

use std::collections::BTreeMap;

use crate::id_source::IdSource;
use crate::json::Json;
use crate::tree::edit::{Edit, Undo};
use crate::tree::error::TreeError;
use crate::tree::report::{Place, Report};
use crate::tree::state::{CREATED_KEY, TreeState};
use crate::types::{OpClock, OpId, PeerId, PropertyKey, TreeAction, TreeOp, VertexId};

/// A replicated tree and someone who edits it.
///
/// Every edit takes effect here at once and yields the ops it made, which are to be stored and sent, in one piece. Ops of
/// others come in with [`apply`](Self::apply). The peer id belongs to this copy alone: with two who use the same, one of
/// two ops with one id is lost.
///
/// ```
/// use sync_core::tree::Tree;
/// use sync_core::{PeerId, PropertyKey, VertexId};
/// use sync_core::json::Json;
///
/// let vertex = |name: &str| VertexId::new(name).unwrap();
/// let (mut desk, mut phone) = (Tree::new(PeerId::new("a1")?), Tree::new(PeerId::new("b2")?));
/// let mut sent = desk.create(vertex("book"), None, None)?.ops;
/// sent.extend(desk.create(vertex("intro"), Some(&vertex("book")), None)?.ops);
/// sent.extend(desk.set(&vertex("intro"), PropertyKey::new("name")?, Json::from_canonical("\"Introduction\""))?.ops);
/// phone.apply(sent);
/// assert_eq!(phone.state().children(&vertex("book")), [vertex("intro")]);
/// assert_eq!(phone.state().hash(), desk.state().hash());
///
/// let deleted = phone.delete(&vertex("intro"))?;
/// assert!(phone.state().is_deleted(&vertex("intro")));
/// phone.undo(&deleted.undo)?;
/// assert_eq!(phone.state().children(&vertex("book")), [vertex("intro")]);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tree {
    state: TreeState,
    peer: PeerId,
    /// Values that are shown here alone.
    transient: BTreeMap<(VertexId, PropertyKey), Json>,
    /// Clocks up to this one are used up, also where their ops are not here.
    used: Option<OpClock>,
}

impl Tree {
    /// A tree without ops, edited by `peer`.
    pub fn new(peer: PeerId) -> Self {
        Self::with_state(peer, TreeState::new())
    }

    /// A tree that has received ops already.
    pub fn with_state(peer: PeerId, state: TreeState) -> Self {
        Self { state, peer, transient: BTreeMap::new(), used: None }
    }

    /// The tree as it is, for reading. Transient values are not in it.
    pub fn state(&self) -> &TreeState {
        &self.state
    }

    /// Who edits it.
    pub fn peer(&self) -> &PeerId {
        &self.peer
    }

    /// Makes ops from now on with clocks after this one: for whoever has made ops that are not in the tree any more. An id must
    /// not be used twice.
    pub fn go_on_after(&mut self, used: OpClock) {
        self.used = self.used.max(Some(used));
    }

    /// Takes in ops of others, as [`TreeState::apply`] does. A transient value ends when its property is written.
    pub fn apply(&mut self, ops: impl IntoIterator<Item = TreeOp>) -> Report {
        let report = self.state.apply(ops);
        if !self.transient.is_empty() {
            report.writes().iter().for_each(|property| drop(self.transient.remove(property)));
        }
        report
    }

    /// Creates a vertex under another, or at the top. `created` says when, for the order in which children are shown; it
    /// becomes the property `_c`.
    ///
    /// # Errors
    ///
    /// [`TreeError::VertexExists`], [`TreeError::UnknownVertex`] for the parent, and [`TreeError::ClockExhausted`].
    pub fn create(
        &mut self,
        vertex: VertexId,
        parent: Option<&VertexId>,
        created: Option<Json>,
    ) -> Result<Edit, TreeError> {
        if self.state.contains(&vertex) {
            return Err(TreeError::VertexExists(vertex));
        }
        parent.map_or(Ok(()), |parent| self.check_known(parent))?;
        let undo = Undo::delete(&vertex);
        let mut actions = vec![(vertex.clone(), TreeAction::Move { parent: parent.cloned() })];
        if let Some(created) = created {
            let key = PropertyKey::new(CREATED_KEY).expect("it is two characters");
            actions.push((vertex, TreeAction::Set { key, value: Some(created) }));
        }
        self.make(actions, undo)
    }

    /// Creates a vertex with an id from `ids`, which is the target of the first op.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    pub fn create_new(
        &mut self,
        ids: &dyn IdSource,
        parent: Option<&VertexId>,
        created: Option<Json>,
    ) -> Result<Edit, TreeError> {
        let vertex = VertexId::new(ids.new_hex_id()).expect("digits are fit for an id");
        self.create(vertex, parent, created)
    }

    /// Puts a vertex under another. A deleted one is not deleted any more, unless the other is.
    ///
    /// # Errors
    ///
    /// [`TreeError::UnknownVertex`], [`TreeError::BelowItself`], [`TreeError::AtTheTop`] for vertices that stay where they
    /// are, and [`TreeError::ClockExhausted`].
    pub fn move_to(&mut self, vertex: &VertexId, parent: &VertexId) -> Result<Edit, TreeError> {
        self.check_known(parent)?;
        let before = self.check_movable(vertex)?;
        if self.state.is_within(parent, vertex) {
            return Err(TreeError::BelowItself { vertex: vertex.clone(), parent: parent.clone() });
        }
        if &before == parent {
            return Ok(Edit::default());
        }
        let action = TreeAction::Move { parent: Some(parent.clone()) };
        self.make(vec![(vertex.clone(), action)], Undo::move_back(vertex, before))
    }

    /// Deletes a vertex and all below it: puts it under [`VertexId::trash`], from where it can be moved back. What others
    /// write to it meanwhile is not lost.
    ///
    /// # Errors
    ///
    /// [`TreeError::UnknownVertex`], [`TreeError::AtTheTop`] and [`TreeError::ClockExhausted`].
    pub fn delete(&mut self, vertex: &VertexId) -> Result<Edit, TreeError> {
        let before = self.check_movable(vertex)?;
        let trash = VertexId::trash();
        if before == trash {
            return Ok(Edit::default());
        }
        let mut actions = Vec::new();
        if !self.state.contains(&trash) {
            actions.push((trash.clone(), TreeAction::Move { parent: None }));
        }
        actions.push((vertex.clone(), TreeAction::Move { parent: Some(trash) }));
        self.make(actions, Undo::move_back(vertex, before))
    }

    /// Gives a property a value. Nothing is made when it has this value already.
    ///
    /// # Errors
    ///
    /// [`TreeError::UnknownVertex`] and [`TreeError::ClockExhausted`].
    pub fn set(&mut self, vertex: &VertexId, key: PropertyKey, value: Json) -> Result<Edit, TreeError> {
        self.write(vertex, key, Some(value))
    }

    /// Removes a property.
    ///
    /// # Errors
    ///
    /// [`TreeError::NoProperty`] when there is none, [`TreeError::UnknownVertex`] and [`TreeError::ClockExhausted`].
    pub fn remove(&mut self, vertex: &VertexId, key: PropertyKey) -> Result<Edit, TreeError> {
        self.check_known(vertex)?;
        if self.state.property(vertex, &key).is_none() {
            return Err(TreeError::NoProperty(vertex.clone()));
        }
        self.write(vertex, key, None)
    }

    fn write(&mut self, vertex: &VertexId, key: PropertyKey, value: Option<Json>) -> Result<Edit, TreeError> {
        self.check_known(vertex)?;
        let before = self.state.property(vertex, &key).cloned();
        if before == value {
            self.transient.remove(&(vertex.clone(), key));
            return Ok(Edit::default());
        }
        let undo = Undo::write_back(vertex, key.clone(), before);
        self.make(vec![(vertex.clone(), TreeAction::Set { key, value })], undo)
    }

    /// Takes an edit back, with new ops: a vertex goes to where it was, a property gets the value it had, what was created
    /// is deleted. What others did meanwhile is not taken back, but what they did to the same is overruled. The undo of
    /// the result does the edit again.
    ///
    /// # Errors
    ///
    /// As [`move_to`](Self::move_to), when what others did meanwhile leaves no way back.
    pub fn undo(&mut self, undo: &Undo) -> Result<Edit, TreeError> {
        match undo.action() {
            None => Ok(Edit::default()),
            Some((vertex, TreeAction::Move { parent: Some(parent) }))
                if parent.as_str() == VertexId::TRASH =>
            {
                self.delete(vertex)
            }
            Some((vertex, TreeAction::Move { parent: Some(parent) })) => self.move_to(vertex, parent),
            Some((vertex, TreeAction::Move { parent: None })) => Err(TreeError::AtTheTop(vertex.clone())),
            Some((vertex, TreeAction::Set { key, value })) => self.write(vertex, key.clone(), value.clone()),
        }
    }

    /// Shows a value of a property here and nowhere else, until the property is written, here or elsewhere: what is
    /// being typed or dragged. It makes no op and is gone after a restart.
    ///
    /// # Errors
    ///
    /// [`TreeError::UnknownVertex`].
    pub fn show(&mut self, vertex: &VertexId, key: PropertyKey, value: Json) -> Result<(), TreeError> {
        self.check_known(vertex)?;
        self.transient.insert((vertex.clone(), key), value);
        Ok(())
    }

    /// What a property says here: its transient value, if there is one, else what the tree says.
    pub fn property(&self, vertex: &VertexId, key: &PropertyKey) -> Option<&Json> {
        let transient =
            (!self.transient.is_empty()).then(|| self.transient.get(&(vertex.clone(), key.clone())));
        transient.flatten().or_else(|| self.state.property(vertex, key))
    }

    fn check_known(&self, vertex: &VertexId) -> Result<(), TreeError> {
        if self.state.contains(vertex) { Ok(()) } else { Err(TreeError::UnknownVertex(vertex.clone())) }
    }

    /// Where a vertex is that may be moved.
    fn check_movable(&self, vertex: &VertexId) -> Result<VertexId, TreeError> {
        self.check_known(vertex)?;
        match self.state.place(vertex) {
            Some(Place::Under(parent)) if vertex.as_str() != VertexId::TRASH => Ok(parent),
            _ => Err(TreeError::AtTheTop(vertex.clone())),
        }
    }

    /// Makes ops and applies them: all or, at the end of the clock, none.
    fn make(&mut self, actions: Vec<(VertexId, TreeAction)>, undo: Undo) -> Result<Edit, TreeError> {
        let mut ops = Vec::with_capacity(actions.len());
        let mut last = self.state.clock().max(self.used);
        for (target, action) in actions {
            let clock = last.map_or(Some(OpClock::FIRST), OpClock::next).ok_or(TreeError::ClockExhausted)?;
            ops.push(TreeOp { id: OpId::new(clock, self.peer.clone()), target, action });
            last = Some(clock);
        }
        let report = self.apply(ops.iter().cloned());
        Ok(Edit { ops, report, undo })
    }
}
