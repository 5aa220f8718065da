"""Views of stacks: collapse recursion, keep one side of the code, re-root. Pure; sums are kept.

Each function takes a tree of frames and says where every stack goes in a new tree. DESIGN
section 3 has the definitions, ``tests/vectors/semantics.json`` the known answers.
"""

from __future__ import annotations

import numpy as np

from flamespan.aggregator.stacktree import Bools, Ids, StackTree, nearest_kept, rebuild


def collapse_direct(tree: StackTree, function: Ids) -> tuple[StackTree, Ids]:
    """Runs of one function become one frame, with the innermost line.

    ``function`` maps a key (frame) to its function. Returns the new tree and, for every old
    node, its place there.
    """
    of_node = function[tree.key]
    same = of_node == of_node[tree.parent]
    same[0] = False
    same[tree.parent == 0] = False
    above = tree.parent.copy()
    # Climb out of the run: above a frame that repeats its caller is whatever is above the caller.
    for nodes in tree.levels[1:]:
        again = nodes[same[nodes]]
        above[again] = above[tree.parent[again]]
    return rebuild(above, tree.key)


def collapse_cycles(tree: StackTree, function: Ids) -> tuple[StackTree, Ids]:
    """Loops are erased: on meeting a function again, the stack is cut back to its first place.

    ``a;b;a;c`` becomes ``a;c``; the leaf function never changes. Returns as collapse_direct.
    """
    of_node = function[tree.key]
    above = tree.parent.copy()
    for nodes in tree.levels[1:]:
        seek, at = nodes, tree.parent[nodes]
        while len(seek):
            found = of_node[at] == of_node[seek]
            found &= at > 0
            above[seek[found]] = above[at[found]]
            going = ~found & (at > 0)
            seek, at = seek[going], above[at[going]]
    return rebuild(above, tree.key)


def keep_side(tree: StackTree, wanted: Bools, stand_in: int) -> tuple[StackTree, Ids, Bools]:
    """Take out frames that are not wanted; their self time goes to the nearest wanted caller.

    ``wanted`` says of each key whether it stays. A stack without any wanted frame becomes the
    single frame ``stand_in``. Returns the new tree, each old node's place in it, and which old
    nodes were re-homed (their leaf was taken out).
    """
    kept = wanted[tree.key]
    kept[0] = True
    above = nearest_kept(tree.parent, kept)
    # A stack with nothing wanted on it: its outermost frame turns into the stand-in, and all
    # that stood on that frame goes there. Wanted frames further up still hang from the root.
    bare = ~kept & (above == 0)
    outer = bare & (tree.parent == 0)
    key = np.where(outer, np.int32(stand_in), tree.key)
    to_outer = nearest_kept(tree.parent, outer | (tree.parent == 0))
    above = np.where(bare & ~outer, to_outer, above)
    new, mapped = rebuild(above, key, kept | outer)
    return new, mapped, ~kept


def outermost_of(tree: StackTree, wanted: Bools) -> Ids:
    """For every node the first node of its stack, from the root, whose key is wanted; -1: none."""
    outer = np.full(len(tree), -1, np.int32)
    for nodes in tree.levels[1:]:
        above = outer[tree.parent[nodes]]
        outer[nodes] = np.where((above < 0) & wanted[tree.key[nodes]], nodes, above)
    return outer


def reroot(tree: StackTree, outer: Ids) -> tuple[StackTree, Ids]:
    """Stacks from their node ``outer`` on, without what is above it; others lose every frame."""
    nodes = np.arange(len(tree))
    above = np.where((outer < 0) | (outer == nodes), 0, tree.parent)
    return rebuild(above, tree.key, outer >= 0)
