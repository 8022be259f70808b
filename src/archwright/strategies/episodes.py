"""What EAS and path-level EAS share: actors grow networks from one network, and learn after each episode."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archwright.core.architecture import Architecture
from archwright.core.errors import ArchwrightError
from archwright.core.history import History, Scored, best_of
from archwright.core.protocols import SearchSpace
from archwright.core.rng import Streams, seed_for, stream_seed
from archwright.core.trial import Trial
from archwright.spaces.morphing import Morph
from archwright.spaces.operators import sample
from archwright.strategies.growth import children, seedling
from archwright.strategies.learner import Learner
from archwright.strategies.scalar import Standings

if TYPE_CHECKING:
    from numpy.random import Generator

    from archwright.strategies.models.actors import Action, Actors


@dataclass
class Episode:
    """Where the current episode stands.

    Attributes:
        actors: as they are during the episode.
        streams: of the actors' randomness: a trial's by the number under which it was asked.
        start: the network that is grown; None before the first one is trained.
        best: of all so far.
        arrived: positions of the episode's evaluations.
        networks: trained since the start became the start.
        baseline: the moving average of rewards; None before the first.
    """

    actors: Actors
    streams: Streams
    start: Scored | None = None
    best: Scored | None = None
    arrived: list[int] = field(default_factory=list)
    networks: int = 0
    baseline: float | None = None
    standings: Standings = field(default_factory=Standings)


@dataclass
class Episodes(Learner[Episode]):
    """Each episode, actors make several networks of one by a few morphisms each; then REINFORCE teaches them.

    The actors' draws for a trial come from a stream of its number. So the morphisms that led to a network, which the
    history doesn't tell, can be drawn once more when its evaluation is learnt from: within an episode the actors stay
    as they are, and the next begins when all of its networks are trained.

    All trials name the start as their parent. A reward is where an evaluation stands among all so far
    (`scalar.Standings`); the papers' is tan(accuracy pi / 2), which too draws the best apart.

    Attributes:
        networks: in an episode.
        stage: after so many networks the best one becomes the start.
        learning_rate: of Adam.
        decay: of the moving average of rewards, the baseline: 0.95 in both papers.
        hidden: units of the encoder, each way: 50.
        embedding: length of what stands for an option: 16.
    """

    networks: int = 10
    stage: int = 150
    learning_rate: float = 0.003
    decay: float = 0.95
    hidden: int = 50
    embedding: int = 16
    _seed: int = field(default=0, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.networks < 1 or self.stage < 1:
            raise ArchwrightError(f"episodes and stages need at least 1 network, not {self.networks} and {self.stage}")

    @abstractmethod
    def actors(self, space: SearchSpace) -> Actors:
        """The actors with their first weights."""

    @abstractmethod
    def plan(self) -> list[tuple[int, int]]:
        """Which actor acts, and how often, one after the other."""

    @abstractmethod
    def choices(self, actor: int, found: list[Morph]) -> list[Architecture]:
        """What of all children an actor chooses among."""

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial | None:
        """A network grown by the actors; None while an episode's last ones are being trained."""
        seed = stream_seed(rng)
        if seed != self._seed:
            self._seed, self._fold = seed, None
        episode = self.learned(space, history)
        if episode.start is None:
            if history.pending:
                return None
            return Trial(sample(space, rng) if len(history) else seedling(space, rng))
        if len(episode.arrived) + len(history.pending) >= self.networks:
            return None
        grown, _ = self._grown(space, episode, history.asked)
        return Trial(grown, parent=episode.start.position)

    def begin(self, space: SearchSpace) -> Episode:
        """Actors with their first weights."""
        return Episode(self.actors(space), Streams(seed_for("episodes", self._seed)))

    def learn(self, state: Episode, space: SearchSpace, history: History, position: int) -> None:
        """Takes an evaluation in; the last of an episode teaches the actors."""
        state.standings.append(history, position)
        scored = history.scored(position)
        if scored is not None:
            state.best = scored if state.best is None else best_of([state.best, scored])
        if state.start is None:
            state.start = scored
            return
        state.arrived.append(position)
        if len(state.arrived) == self.networks:
            self._teach(state, space, history)
            state.networks += self.networks
            state.arrived = []
            if state.networks >= self.stage:
                state.start, state.networks = state.best, 0

    def _teach(self, state: Episode, space: SearchSpace, history: History) -> None:
        """A step of REINFORCE on the episode's networks, those of repeated answers left out."""
        paths: list[tuple[list[Action], float]] = []
        for position in state.arrived:
            evaluation, reward = history[position], state.standings[position]
            grown, actions = self._grown(space, state, history.numbers[position])
            if evaluation.reused is not None or grown != evaluation.trial.architecture or not actions:
                continue  # (another strategy's network, from a history that the search was given, is no action of ours)
            before = reward if state.baseline is None else state.baseline
            state.baseline = self.decay * before + (1.0 - self.decay) * reward
            paths.append((actions, reward - before))
        if paths:
            state.actors.reinforce(paths)

    def _grown(self, space: SearchSpace, state: Episode, number: int) -> tuple[Architecture, list[Action]]:
        """What the actors make of the start as trial `number`, and their actions."""
        import torch  # when it is needed

        from archwright.strategies.models.actors import Action

        assert state.start is not None
        architecture, actions, rng = state.start.evaluation.trial.architecture, list[Action](), state.streams[number]
        for actor, times in self.plan():
            for _ in range(times):
                reached = self.choices(actor, children(space, architecture))
                if not reached:
                    break
                view = state.actors.view(space, architecture, reached)
                with torch.no_grad():
                    wheel = state.actors(actor, view).exp().cumsum(0)
                taken = min(int((wheel <= rng.random()).sum()), len(reached) - 1)
                actions.append(Action(actor, view, taken))
                architecture = reached[taken]
        return architecture, actions
