"""Makes ``src/groundrl/assets/nouns.txt`` from the files of WordNet 3.0.

``python benchmarks/noun_lexicon.py /usr/share/wordnet > src/groundrl/assets/nouns.txt``; Debian's
package ``wordnet-base`` holds those files, and wndb(5WN) describes them.

A noun is taken if its most frequent sense is something that a box can hold: an artifact, animal,
body part, food, natural object, person or plant, but not a room, a shop, a representation or the
like; of people only those whose looks or doings tell. Of compounds those are taken that are no
plain case of their last word: "sea lion", not "oak tree".
"""

import re
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Final

TAKEN: Final = {
    **{5: "animal", 6: "artifact", 8: "body", 13: "food"},
    **{17: "object", 18: "person", 20: "plant"},
}
"""Number of a lexicographer file, lexnames(5WN) -> what is in it."""
NOT_BELOW: Final = frozenset(
    {
        *("representation", "movie", "sound_recording", "facility", "establishment", "room"),
        *("weapons_system", "excavation", "restaurant", "circuit", "internal_organ", "tissue"),
        *("nerve", "blood_vessel", "gland", "muscle", "membrane", "microorganism"),
        *("body_substance", "medicine", "drug", "chemical_compound", "star", "galaxy", "deity"),
        *("spiritual_being", "imaginary_being", "extraterrestrial_object"),
    }
)
"""Heads of subtrees that hold nothing for a detector."""
PEOPLE: Final = frozenset(
    {
        *("worker", "traveler", "contestant", "athlete", "entertainer", "juvenile", "adult"),
        *("male", "female", "health_professional", "serviceman", "lawman", "relative"),
        *("pedestrian", "consumer", "performer", "artist", "skilled_worker", "learner"),
        *("educator", "sovereign", "religious_person", "spectator", "friend", "operator"),
        *("communicator", "musician", "peer", "leader", "child"),
    }
)
"""Heads of subtrees of people whose looks or doings say what they are."""
PAIRS: Final = frozenset(
    (
        *("ceramics", "clothes", "fries", "jeans", "leggings", "pants", "reins", "shorts"),
        *("spectacles", "stairs", "tights", "trousers", "trunks", "woods"),
    )
)
"""Plurals that are names of their own, though WordNet has the singular as well."""
WANTED: Final = (
    *("advertisement", "airstrip", "alarm_clock", "alligator", "angler", "animal", "arch"),
    *("arrow", "asphalt", "atv", "avenue", "backsplash", "badge", "baker", "barber"),
    *("barcode", "barista", "baseball", "baseball_bat", "baseball_cap", "baseball_field"),
    *("baseball_glove", "baseball_player", "basketball", "basketball_player", "battery"),
    *("beaver", "beer", "bike_lane", "biker", "blimp", "blind", "board", "bolt", "book"),
    *("boxer", "branch", "brownie", "bunk_bed", "burger", "butcher", "cab", "cabin", "cable"),
    *("calculator", "calendar", "camper", "candlelight", "caravan", "cardboard", "cashier"),
    *("cell_phone", "cereal", "certificate", "chain", "charcoal", "cheddar", "chopper"),
    *("christmas_tree", "church", "cigarette", "cloud", "clown", "coal", "coaster", "cockpit"),
    *("cocktail", "coffee_maker", "computer_monitor", "computer_mouse", "concrete"),
    *("construction_worker", "cornfield", "crane", "cream", "crew", "crosswalk", "crown"),
    *("cubicle", "cutting_board", "dalmatian", "desert", "dessert", "detergent"),
    *("dining_table", "dirt", "display", "ditch", "diver", "dome", "donkey", "doughnut"),
    *("dragon", "dump_truck", "dust", "dustpan", "escalator", "fang", "farmer", "farmland"),
    *("field", "figurine", "fin", "fire", "fire_extinguisher", "fire_hydrant", "fire_truck"),
    *("firefighter", "fireman", "firewood", "flame", "fleece", "flipflop", "flower_pot"),
    *("folder", "food", "football", "football_player", "forest", "french_fries", "frisbee"),
    *("fruitcake", "game_controller", "garbage", "gardener", "glass", "glue", "graffiti"),
    *("gravel", "grill", "guard", "gull", "hair_drier", "hair_dryer", "haystack", "heron"),
    *("high_chair", "high_heel", "hood", "hoodie", "hot_dog", "hotdog", "ice", "ice_cream"),
    *("icicle", "intersection", "invitation", "janitor", "javelin", "jeep", "jersey"),
    *("jumper", "jungle", "kale", "kiosk", "kite", "lamp_post", "lawn", "leopard", "letter"),
    *("lettuce", "license_plate", "lid", "life_jacket", "life_vest", "light", "light_pole"),
    *("lighter", "lime", "locker", "log", "logo", "lumber", "lynx", "magazine", "mansion"),
    *("map", "marble", "meadow", "medal", "menu", "microwave", "mint", "mobile_phone", "mud"),
    *("mug", "neighbor", "newspaper", "night_stand", "notebook", "ostrich", "otter"),
    *("ottoman", "ox", "palm_tree", "paper", "paper_towel", "parking_lot", "parking_meter"),
    *("pasture", "path", "pc", "pedal", "pedestrian", "pedestrian_crossing", "person"),
    *("picnic_table", "pillar", "pirate", "placemat", "plaster", "playground", "polar_bear"),
    *("police_officer", "portrait", "poster", "potted_plant", "power_line", "prairie", "puck"),
    *("puddle", "pupil", "puppet", "quiche", "raccoon", "racket", "radio", "railroad_track"),
    *("receipt", "referee", "remote_control", "ring", "road_sign", "rooftop", "rubbish"),
    *("rubble", "ruler", "runner", "rv", "salesman", "salt", "sand", "saucer", "saw"),
    *("scanner", "scarecrow", "scorpion", "seat", "seaweed", "security_guard", "shadow"),
    *("shell", "shopping_cart", "shrimp", "shrubbery", "sidecar", "sign", "skeleton"),
    *("ski_lift", "ski_pole", "skunk", "smartphone", "smartwatch", "smoke", "snorkeler"),
    *("snow", "snowboarder", "snowflake", "snowman", "soccer_ball", "soccer_field"),
    *("soccer_player", "soda", "sombrero", "spice", "sponge", "sports_ball", "spotlight"),
    *("star", "steam", "stop_light", "stop_sign", "straw", "street_lamp", "street_light"),
    *("street_sign", "street_vendor", "student", "stuffed_animal", "suv", "swimming_pool"),
    *("swing", "table", "tablespoon", "taco", "tag", "tarmac", "tattoo", "teaspoon"),
    *("teddy_bear", "television", "tennis_court", "tennis_player", "tennis_racket", "ticket"),
    *("tiger", "toaster", "tobacco", "toilet", "toilet_paper", "tooth", "tow_truck"),
    *("traffic_cone", "traffic_light", "traffic_sign", "trailer", "train_track", "trash"),
    *("trash_bin", "trash_can", "tree_trunk", "trophy", "trousers", "tunic", "tusk", "tutu"),
    *("tv", "tyre", "umpire", "vacuum", "van", "vegetation", "vendor", "volleyball"),
    *("walleye", "wallpaper", "washing_machine", "wasp", "water", "water_bottle", "wave"),
    *("weasel", "whale", "whisker", "whiteboard", "windsock", "wine", "wine_glass", "witch"),
    *("wolverine", "wood", "woods", "wren", "wrench", "yak", "yarn", "zebra_crossing"),
    *("zeppelin",),
)
"""Things whose word most often means another one, or that WordNet does not have."""
NOTICE: Final = """\
# Nouns that a detector can look for: derived from WordNet 3.0 by benchmarks/noun_lexicon.py.
# Each line: noun [share of its uses as a noun, in per cent, and what else it can be: v, a].
#
# WordNet 3.0 Copyright 2006 by Princeton University. All rights reserved.
# This software and database is being provided to you, the LICENSEE, by Princeton University under
# the following license. By obtaining, using and/or copying this software and database, you agree
# that you have read, understood, and will comply with these terms and conditions:
# Permission to use, copy, modify and distribute this software and database and its documentation
# for any purpose and without fee or royalty is hereby granted, provided that you agree to comply
# with the following copyright notice and statements, including the disclaimer, and that the same
# appear on ALL copies of the software, database and documentation, including modifications that
# you make for internal use or for distribution.
# THIS SOFTWARE AND DATABASE IS PROVIDED "AS IS" AND PRINCETON UNIVERSITY MAKES NO REPRESENTATIONS
# OR WARRANTIES, EXPRESS OR IMPLIED. BY WAY OF EXAMPLE, BUT NOT LIMITATION, PRINCETON UNIVERSITY
# MAKES NO REPRESENTATIONS OR WARRANTIES OF MERCHANTABILITY OR FITNESS FOR ANY PARTICULAR PURPOSE
# OR THAT THE USE OF THE LICENSED SOFTWARE, DATABASE OR DOCUMENTATION WILL NOT INFRINGE ANY THIRD
# PARTY PATENTS, COPYRIGHTS, TRADEMARKS OR OTHER RIGHTS.
# The name of Princeton University or Princeton may not be used in advertising or publicity
# pertaining to distribution of the software and/or database. Title to copyright in this software,
# database and any associated documentation shall at all times remain with Princeton University and
# LICENSEE agrees to preserve same."""


class WordNet:
    """The parts of the files that are needed here."""

    def __init__(self, folder: Path) -> None:
        self.file: dict[str, int] = {}
        self.words: dict[str, list[str]] = {}
        self.above: dict[str, list[str]] = {}
        for row in _rows(folder / "data.noun"):
            number = int(row[3], 16)
            self.file[row[0]] = int(row[1])
            self.words[row[0]] = row[4 : 4 + 2 * number : 2]
            pointers = row[5 + 2 * number :]
            self.above[row[0]] = [
                pointers[i + 1] for i in range(0, len(pointers) - 3, 4) if pointers[i] == "@"
            ]
        self.senses = {row[0]: row[-int(row[2]) :] for row in _rows(folder / "index.noun")}
        self.others = {
            kind: {row[0] for row in _rows(folder / f"index.{kind}")} for kind in ("verb", "adj")
        }
        self.uses: dict[str, Counter[str]] = defaultdict(Counter)
        kinds = {"1": "noun", "2": "verb", "3": "adj", "4": "adv", "5": "adj"}
        for line in (folder / "cntlist.rev").read_text().splitlines():
            key, _, count = line.split()
            word, _, rest = key.partition("%")
            self.uses[word][kinds[rest[0]]] += int(count)
        self.bases: dict[str, list[str]] = {row[0]: row[1:] for row in _rows(folder / "verb.exc")}
        self.plurals = {row[0] for row in _rows(folder / "noun.exc")}

    def heads(self, sense: str) -> set[str]:
        """Words of all synsets above one and of itself."""
        found: set[str] = set()
        todo = [sense]
        while todo:
            one = todo.pop()
            found.update(self.words[one])
            todo += self.above[one]
        return found


def _rows(file: Path) -> list[list[str]]:
    lines = file.read_text().splitlines()
    return [line.partition(" | ")[0].split() for line in lines if not line.startswith("  ")]


def is_taken(net: WordNet, word: str) -> bool:
    """Whether the most frequent sense is a thing that a detector can look for."""
    sense = net.senses[word][0]
    kind = TAKEN.get(net.file[sense])
    if kind is None or word not in net.words[sense] or not re.fullmatch("[a-z]+(_[a-z]+)?", word):
        return False
    heads = net.heads(sense)
    last = word.rpartition("_")[2]
    if heads & NOT_BELOW or len(word) < 3:
        return False
    # "sea lion" is no lion, but of "oak tree" the word "tree" is enough.
    is_own_thing = "_" not in word or last not in heads
    if last != word and _is_adjective(net, word.partition("_")[0]):
        return False
    if word in net.plurals and word not in PAIRS:
        return False
    if kind == "person":
        return bool(heads & PEOPLE) and is_own_thing
    if kind in ("animal", "plant", "body", "object"):
        return is_own_thing and (kind not in ("body", "object") or "_" not in word)
    return True


def _is_adjective(net: WordNet, word: str) -> bool:
    """Whether it describes more often than it names: "white"."""
    uses = net.uses[word]
    return word in net.others["adj"] and uses["adj"] >= uses["noun"]


def ambiguity(net: WordNet, word: str) -> str:
    """ " 34v" for a noun that is a verb in two of three uses; empty for one that is only a noun."""
    verbs = {word} & net.others["verb"] | {*net.bases.get(word, ())}
    if word.endswith("ing"):
        stems = {word[:-3], f"{word[:-3]}e", word[:-4] if word[-4:-3] == word[-5:-4] else word}
        verbs |= stems & net.others["verb"]
    other = sum(net.uses[verb]["verb"] + 1 for verb in verbs)
    # Of a verb's uses, few are its "-ing" form.
    other /= 5 if word.endswith("ing") else 1
    letters = "v" if verbs else ""
    if word in net.others["adj"]:
        other += net.uses[word]["adj"] + 1
        letters += "a"
    nouns = net.uses[word]["noun"] + 1
    return f" {round(100 * nouns / (nouns + other))}{letters}" if letters else ""


def main(folder: Path) -> None:
    """Print the lexicon."""
    net = WordNet(folder)
    taken = {word for word in net.senses if is_taken(net, word)} | {*WANTED} | PAIRS
    print(NOTICE)
    for word in sorted(taken):
        # "scissors" are one thing, "knuckles" are several of a "knuckle".
        if not word.endswith("s") or word[:-1] not in net.senses or word in PAIRS:
            print(word + ambiguity(net, word))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
