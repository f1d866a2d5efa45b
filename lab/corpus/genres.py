"""Which genre a style file of MMA belongs to.

Each genre has at least three style files, so that training, validation and test have different
ones. Styles that fit none, or one with too few files, are not in the table.
"""

from __future__ import annotations

_FILES = {
    "ambient": "ambient1 ambient2 ambient3",
    "ballad": """ballad ballad68 ballad128 68ballad 16beatballad1 16beatballad2 16beatballad3
        8beatballad1 8beatballad2 8beatballad3 popballad pianoballad guitarballad stringballad
        folkballad rockballad rb-ballad oldieballad kwestballad""",
    "blues": "blues blues68 blues128 slowblues fastblues boggiewoggie shuffleboggie shuffleboogie",
    "bossa nova and samba": "bossanova samba kbossa jazzbossa",
    "country": "slowcountry countryswing countryblues hillcountry bluegrass western westernswing",
    "dance": """techno teamtechno trance trance1 trance2 rave house latinhouse dance1 dance2
        8beatdance dancepop1 dancepop2 dancepop3""",
    "foxtrot and quickstep": "foxtrot quickstep",
    "funk": "funk1 funk2 bvfunk Kfunk1",
    "fusion": "fusion lfusion latinfusion jazzrock",
    "hip hop": "hiphop hip-hop triphop",
    "jazz": """jazzcombo modernjazz mellowjazz slowjazz nitejazz bebop jazztrio jazzGrtrio
        jazzguitar descendingjazz evansish folkyjazz jazzbouncy""",
    "jazz waltz": "jazzwaltz fastjazzwaltz modernjazzwaltz",
    "Latin dance": """salsa salsa1 salsa2 mambo chacha merengue rhumba jazzrhumba bolero slowbolero
        beguine son cubanguitar afro-cuban tango lighttango""",
    "march": "march march1 germanmarch bwmarch 68march dixiemarch",
    "metal": "metal1 metal2 heavymetal",
    "polka": "polka poppolka polkafox",
    "pop": """pop 8beat 8beat1 8beat2 8beat3 16beat1 16beat2 16beat3 8beatpop1 8beatpop2 8beatpop3
        60spop 80spop electricpop worldpop popshuffle1 popshuffle2""",
    "ragtime and dixieland": "ragtime dixie charleston",
    "rock": """50srock K50s_rock 60srock basicrock softrock bubblerock rock1 rock2 slowrock w-rock
        poprock1 poprock2 folkrock digitalrock rock-128 shufflerock""",
    "show tune": "broadway slowbroadway showtune softshoe",
    "soul and rhythm and blues": "soul 60ssoul soulpop dsoul discosoul rb r+b modernrb mellowrb "
    "8beatmotown",
    "spiritual": "hymn spiritual slowspiritual popspiritual",
    "swing": """swing easyswing fastswing slowswing bigband fastbigband middlebigband slowbigband
        jazzswing jazzbasie strut""",
    "twist": "twist twi fasttwist",
    "waltz": """waltz fastwaltz vienesewaltz frenchwaltz countrywaltz broadwaywaltz latinwaltz
        popwaltz arpeggiowaltz rockwaltz""",
}

GENRES: dict[str, str] = {file: genre for genre, files in _FILES.items() for file in files.split()}
"""Name of a style file, without library -> genre."""


def genre_of(style: str) -> str | None:
    """Return the genre of a style.

    Parameters
    ----------
    style : str
        Library and file, for instance ``stdlib/bossanova``.

    Returns
    -------
    str or None
    """
    return GENRES.get(style.rpartition("/")[2])
