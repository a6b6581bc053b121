"""Models of physics and medicine in 6 to 10 variables, each scaled to [-1, 1].

Formulas as in S. Surjanovic, D. Bingham, "Virtual library of simulation experiments", and
P. G. Constantine, "Active Subspaces", SIAM 2015; the epidemic is the SEIR model, by Runge-Kutta.
"""

import numpy as np

RANGES = {
    "circuit": [(50, 150), (25, 70), (0.5, 3), (1.2, 2.5), (0.25, 1.2), (50, 300)],
    "piston": [(30, 60), (0.005, 0.02), (0.002, 0.01), (1000, 5000), (90000, 110000), (290, 296),
               (340, 360)],
    "borehole": [(0.05, 0.15), (100, 50000), (63070, 115600), (990, 1110), (63.1, 116), (700, 820),
                 (1120, 1680), (9855, 12045)],
    "wing": [(150, 200), (220, 300), (6, 10), (-10, 10), (16, 45), (0.5, 1), (0.08, 0.18),
             (2.5, 6), (1700, 2500), (0.025, 0.08)],
    "robot": 4 * [(0, 2 * np.pi)] + 4 * [(0, 1)],
    "epidemic": [(0.2, 0.6), (0.1, 0.5), (0.1, 0.3), (0.0, 0.02), (1e-4, 5e-3), (1e-4, 5e-3)],
}


def circuit(v):
    """Mid-point voltage of an output transformerless push-pull circuit."""
    b1, b2, f, c1, c2, beta = v
    gain = beta * (c2 + 9)
    return ((12 * b2 / (b1 + b2) + 0.74) * gain + 11.35 * f + 0.74 * f * gain / c1) / (gain + f)


def piston(v):
    """Cycle time of a piston in a cylinder."""
    mass, area, volume, spring, pressure, ambient, filling = v
    force = pressure * area + 19.62 * mass - spring * volume / area
    gas = spring * pressure * volume * ambient / filling
    actual = area / (2 * spring) * (np.sqrt(force**2 + 4 * gas) - force)
    stiffness = spring + area**2 * gas / spring / actual**2
    return 2 * np.pi * np.sqrt(mass / stiffness)


def borehole(v):
    """Flow of water through a borehole."""
    well, influence, upper, upper_head, lower, lower_head, length, conductivity = v
    ratio = np.log(influence / well)
    return 2 * np.pi * upper * (upper_head - lower_head) / (
        ratio * (1 + 2 * length * upper / (ratio * well**2 * conductivity) + upper / lower))


def wing(v):
    """Weight of the wing of a light aircraft."""
    area, fuel, aspect, sweep, pressure, taper, thickness, load, gross, paint = v
    cosine = np.cos(np.radians(sweep))
    return area * paint + (
        0.036 * area**0.758 * fuel**0.0035 * (aspect / cosine**2) ** 0.6 * pressure**0.006
        * taper**0.04 * (100 * thickness / cosine) ** -0.3 * (load * gross) ** 0.49)


def robot(v):
    """Distance of the hand of an arm of four segments from its shoulder."""
    angles, lengths = np.cumsum(v[:4]), v[4:]
    return np.hypot(lengths @ np.cos(angles), lengths @ np.sin(angles))


def epidemic(v):
    """Infectious part of a population after 60 days."""
    return epidemic_path(v, 60)[-1]


def epidemic_path(v, days):
    """The infectious part after each day: contact, incubation, recovery, loss, E and I at first."""
    contact, incubation, recovery, loss, exposed, infectious = v

    def rates(state):
        s, e, i = state
        new = contact * s * i
        return np.array([loss * (1 - s) - new, new - (incubation + loss) * e,
                         incubation * e - (recovery + loss) * i])

    state, path = np.array([1 - exposed - infectious, exposed, infectious]), []
    for _ in range(days):
        k1 = rates(state)
        k2 = rates(state + k1 / 2)
        k3 = rates(state + k2 / 2)
        state = state + (k1 + 2 * k2 + 2 * k3 + rates(state + k3)) / 6
        path.append(state[2])
    return np.array(path)


MODELS = {f.__name__: f for f in (circuit, piston, borehole, wing, robot, epidemic)}


def scaled(name):
    """The model as a function on [-1, 1]^p, and p."""
    low, high = np.array(RANGES[name], dtype=float).T
    model = MODELS[name]
    return lambda x: float(model(low + (x + 1) / 2 * (high - low))), len(low)


def value_problem(name):
    """The smallest value in the box; of the robot, the largest distance."""
    model, p = scaled(name)
    return (lambda x: -model(x)) if name == "robot" else model, p


def fit_problem(name):
    """The squared distance from the value in the middle of one half of the box, in units of 1 %.

    Of the epidemic, that of the logarithm of the path of thirty days.
    """
    model, p = scaled(name)
    goal = np.linspace(-0.5, 0.5, p)
    if name == "epidemic":
        low, high = np.array(RANGES[name]).T

        def path(x):
            return np.log(epidemic_path(low + (x + 1) / 2 * (high - low), 30)[::3])

        observed = path(goal)
        return lambda x: float(np.sum((path(x) - observed) ** 2)), p
    target = model(goal)
    return lambda x: (100 * (model(x) / target - 1)) ** 2, p


PROBLEMS = {
    f"{name} {kind}": make(name)
    for name in MODELS for kind, make in (("value", value_problem), ("fit", fit_problem))
}
