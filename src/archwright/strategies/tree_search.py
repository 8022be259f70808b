"""Monte-Carlo tree search over the decisions: Negrinho and Gordon, 2017 (DeepArchitect), and Wistuba, 2018."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archwright.core.architecture import Architecture
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.protocols import SearchSpace
from archwright.core.trial import Trial
from archwright.spaces.operators import key_of, sample
from archwright.strategies.decisions import Pick, decisions, picked
from archwright.strategies.learner import Learner
from archwright.strategies.scalar import Standings

if TYPE_CHECKING:
    from numpy.random import Generator

TRIES = 1000
"""How often it walks again when what it came to is known or excluded."""

RETRIES = 10
"""The same after an answer that was known: then so many walks led to nothing new, and little can be left to find."""

Place = tuple[str, int, int]
"""Where the tree forks: a decision's name, and from which option on to which (exclusive) it is still open."""

Path = tuple[tuple[Place, int], ...]
"""The branch taken at each fork."""


@dataclass
class Node:
    """What is known of the architectures below a point of the tree, or of those that took some branch anywhere."""

    visits: int = 0
    total: float = 0.0  # of the rewards
    children: dict[int, Node] = field(default_factory=dict)

    def visit(self, reward: float) -> None:
        """Counts an architecture."""
        self.visits += 1
        self.total += reward

    def bound(self, branch: int, exploration: float) -> float:
        """UCB1 (Auer et al., 2002) of a child: its mean reward and how uncertain it is; infinite before its first."""
        child = self.children.get(branch)
        if child is None:
            return math.inf
        return child.total / child.visits + exploration * math.sqrt(math.log(self.visits) / child.visits)


@dataclass
class Tree:
    """The search tree, and what the same fork counts wherever in the tree it is met."""

    root: Node = field(default_factory=Node)
    shared: dict[Place, Node] = field(default_factory=dict)

    def visit(self, path: Path, reward: float) -> None:
        """Counts an architecture along its path; as always in UCT the tree grows by its first new node only."""
        node: Node | None = self.root
        self.root.visit(reward)
        for place, branch in path:
            shared = self.shared.setdefault(place, Node())
            shared.visit(reward)
            shared.children.setdefault(branch, Node()).visit(reward)
            if node is not None:
                grown = branch not in node.children
                child = node.children.setdefault(branch, Node())
                child.visit(reward)
                node = None if grown else child


@dataclass
class Walks:
    """What was evaluated: paths by their position in the history, keys, and rewards."""

    paths: dict[int, Path] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    standings: Standings = field(default_factory=Standings)


@dataclass
class TreeSearch(Learner[Walks]):
    """UCT (Kocsis and Szepesvári, 2006): a walk down a tree of decisions, at each fork to the branch of greatest bound.

    Each evaluation adds a node to the tree; below it options are drawn at random, as equal bounds are decided.

    Wistuba (2018) shares what is learnt between the branches of the tree; here this is done as in rapid action value
    estimation (Gelly and Silver, 2007): a branch is judged by beta times its bound over all architectures that took it,
    wherever in the tree, and 1 - beta times its bound at this node. Its own visits count the more the more there are:
    beta = sqrt(sharing / (3 visits + sharing)).

    Negrinho and Gordon (2017) restructure the tree so that similar values share a branch: a decision of more options
    than `branching` is halved until that many are left.

    A reward is where an evaluation stands among all of them (`scalar.Standings`; a failure is worth 0). What is
    pending, and what a walk comes upon though it is known or excluded, counts as a visit of reward 0 (the virtual loss
    of Chaslot et al., 2008), so that the next walk goes elsewhere.

    Attributes:
        exploration: the factor c of the uncertainty. 1.41 in UCB1, for any number of visits; hundreds of evaluations
            are few, and NAS-Bench-201 is searched best with 0.3 to 0.5.
        sharing: after how many visits of its own a branch is judged by these as much as by what is shared; 0 is UCT
            without sharing.
        branching: most options at one fork.
    """

    exploration: float = 0.5
    sharing: float = 30.0
    branching: int = 5

    def __post_init__(self) -> None:
        if self.exploration < 0 or self.sharing < 0 or self.branching < 2:
            raise ArchwrightError(
                "tree search needs exploration and sharing of at least 0, and branching of at least 2"
            )

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial:
        """The architecture at the end of a walk down the tree, the first that is new; any random one if none is."""
        known = self.learned(space, history)
        tree, asked = self.tree(known), set(known.keys)
        for trial in history.pending.values():
            tree.visit(self.path(space, trial.architecture), 0.0)
            asked.add(key_of(space, trial.architecture))
        repeated = len(history) > 0 and history[-1].reused is not None
        for _ in range(RETRIES if repeated else TRIES):
            architecture = picked(space, self._picks(tree, rng), rng)
            if space.excluded(architecture) is None and key_of(space, architecture) not in asked:
                return Trial(architecture)
            tree.visit(self.path(space, architecture), 0.0)
        return Trial(sample(space, rng))

    def begin(self, space: SearchSpace) -> Walks:
        """Nothing."""
        return Walks()

    def learn(self, state: Walks, space: SearchSpace, history: History, position: int) -> None:
        """Notes the evaluation; a repeated answer is none."""
        if history[position].reused is None:
            architecture = history[position].trial.architecture
            state.standings.append(history, position)
            state.paths[position] = self.path(space, architecture)
            state.keys.add(key_of(space, architecture))

    def tree(self, known: Walks) -> Tree:
        """Grown anew for each proposal, since every evaluation moves where the others stand."""
        tree = Tree()
        for position, path in known.paths.items():
            tree.visit(path, known.standings[position])
        return tree

    def path(self, space: SearchSpace, architecture: Architecture) -> Path:
        """The branches that lead to an architecture."""
        path: list[tuple[Place, int]] = []
        for name, options, option in decisions(space, architecture):

            def follow(place: Place, ranges: list[range], option: int = option) -> int:
                path.append((place, next(branch for branch, inside in enumerate(ranges) if option in inside)))
                return path[-1][1]

            self._descend(name, options, follow)
        return tuple(path)

    def _picks(self, tree: Tree, rng: Generator) -> Pick:
        node: Node | None = tree.root

        def select(place: Place, ranges: list[range]) -> int:
            nonlocal node
            if node is None:  # below the tree
                return int(rng.random() * len(ranges))
            shared = tree.shared.get(place, Node())
            bounds = [self._bound(node, shared, branch) for branch in range(len(ranges))]
            greatest = max(bounds)
            best = [branch for branch, bound in enumerate(bounds) if bound == greatest]
            branch = best[int(rng.random() * len(best))]
            node = node.children.get(branch)
            return branch

        return lambda name, options: self._descend(name, options, select)

    def _bound(self, node: Node, shared: Node, branch: int) -> float:
        visits = node.children[branch].visits if branch in node.children else 0
        beta = math.sqrt(self.sharing / (3 * visits + self.sharing)) if self.sharing else 0.0
        bound = 0.0
        if beta < 1.0:
            bound += (1.0 - beta) * node.bound(branch, self.exploration)
        if beta > 0.0:
            bound += beta * shared.bound(branch, self.exploration)
        return bound

    def _descend(self, name: str, options: int, select: Callable[[Place, list[range]], int]) -> int:
        """The option at the end of a decision's forks; `select` says which of the ranges of options to enter."""
        low, high = 0, options
        while high - low > 1:
            step = (high - low + 1) // 2 if high - low > self.branching else 1
            ranges = [range(start, min(start + step, high)) for start in range(low, high, step)]
            inside = ranges[select((name, low, high), ranges)]
            low, high = inside.start, inside.stop
        return low
