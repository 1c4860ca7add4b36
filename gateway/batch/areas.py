"""Which area codes lie in which time zones, where the number library's own data is wrong or says too little.

Its data has each exchange of an area code on its own, but numbers move with their owners; and some area codes
have one zone there although a border of zones runs through them. Here an area code has all zones that are
observed in it. Prefixes are digits with the calling code.
"""

from collections.abc import Mapping

ATLANTIC, EASTERN, CENTRAL = "America/Halifax", "America/New_York", "America/Chicago"
MOUNTAIN, PACIFIC = "America/Denver", "America/Los_Angeles"
WITHOUT_SUMMER_TIME = "America/Fort_Nelson"
"Mountain time all year: the north-east of British Columbia, Creston and the Yukon."

ALSO: Mapping[str, tuple[str, ...]] = {
    "1236": ("America/Edmonton", WITHOUT_SUMMER_TIME),  # all of British Columbia, as 250
    "1250": (WITHOUT_SUMMER_TIME,),
    "1257": ("America/Vancouver", "America/Edmonton", WITHOUT_SUMMER_TIME),
    "1306": ("America/Edmonton", "America/Winnipeg"),  # Lloydminster; Creighton and Denare Beach
    "1334": (EASTERN,),  # Phenix City keeps its neighbours' time
    "1364": (CENTRAL,),  # with 270
    "1367": (ATLANTIC, "America/Blanc-Sablon"),  # with 418
    "1418": ("America/Blanc-Sablon",),  # the Lower North Shore
    "1432": (MOUNTAIN,),  # the north-west of Culberson County
    "1448": (CENTRAL,),  # with 850
    "1458": (MOUNTAIN,),  # with 541: Malheur County
    "1474": ("America/Regina", "America/Edmonton"),  # with 306
    "1581": (ATLANTIC, "America/Blanc-Sablon"),  # with 418
    "1639": ("America/Edmonton", "America/Winnipeg"),  # with 306
    "1672": ("America/Edmonton", WITHOUT_SUMMER_TIME),  # with 250
    "1709": ("America/Goose_Bay",),
    "1778": ("America/Edmonton", WITHOUT_SUMMER_TIME),  # with 250
    "1807": ("America/Atikokan",),
    "1867": ("America/Whitehorse", "America/Atikokan"),  # Yukon; Coral Harbour
    "1879": (ATLANTIC, "America/Goose_Bay"),  # with 709
    "1930": (CENTRAL,),  # with 812
}
"Zones of North American area codes beside those that the library has anywhere behind them."

_SAO_PAULO = (*range(11, 56), *range(61, 65), *range(71, 80), *range(82, 90))
_CHIHUAHUA = (614, 621, 625, 627, 628, 629, 635, 636, 639, 648, 652, 659)

AREAS: Mapping[str, tuple[str, ...]] = {
    # Russia
    "7401": ("Europe/Kaliningrad",),
    "7411": ("Asia/Yakutsk", "Asia/Vladivostok", "Asia/Srednekolymsk"),
    "7845": ("Europe/Saratov",),
    # Mexico: since October 2022 Chihuahua has the time of the capital
    **{f"52{area}": ("America/Chihuahua",) for area in _CHIHUAHUA},
    "52649": ("America/Chihuahua", "America/Mazatlan"),
    # Brazil: by area code; Pernambuco has Fernando de Noronha, Amazonas two zones
    **{f"55{area}": ("America/Sao_Paulo",) for area in _SAO_PAULO},
    **{f"55{area}": ("America/Belem",) for area in (91, 93, 94, 96, 98, 99)},
    **{f"55{area}": ("America/Manaus",) for area in (92, 95)},
    "5565": ("America/Cuiaba",),
    "5566": ("America/Cuiaba",),
    "5567": ("America/Campo_Grande",),
    "5568": ("America/Rio_Branco", "America/Eirunepe"),
    "5569": ("America/Porto_Velho",),
    "5581": ("America/Recife", "America/Noronha"),
    "5597": ("America/Manaus", "America/Eirunepe"),
    # Chile
    "5632": ("America/Santiago", "Pacific/Easter"),
    "5661": ("America/Punta_Arenas",),
    "5667": ("America/Coyhaique",),
    "569": ("America/Santiago", "America/Punta_Arenas", "America/Coyhaique", "Pacific/Easter"),
    # Australia: 02, 03, 07 and 08; Tweed Heads is in 07 and in New South Wales
    "612": ("Australia/Sydney", "Australia/Lord_Howe"),
    "613": ("Australia/Melbourne", "Australia/Hobart", "Australia/Sydney"),
    "617": ("Australia/Brisbane", "Australia/Sydney"),
    "618": (
        "Australia/Adelaide",
        "Australia/Darwin",
        "Australia/Perth",
        "Australia/Eucla",
        "Indian/Christmas",
        "Indian/Cocos",
    ),
    "6186": ("Australia/Perth", "Australia/Eucla"),
    "6187": ("Australia/Adelaide", "Australia/Darwin"),
    "6188": ("Australia/Adelaide", "Australia/Darwin"),
    "6189": ("Australia/Perth", "Australia/Eucla"),
    "61891": ("Australia/Perth", "Australia/Eucla", "Indian/Christmas", "Indian/Cocos"),
    # New Zealand
    "6433": ("Pacific/Auckland", "Pacific/Chatham"),
    # China: Xinjiang
    "8690": ("Asia/Shanghai", "Asia/Urumqi"),
    "8699": ("Asia/Shanghai", "Asia/Urumqi"),
    # Ukraine: Crimea
    "38065": ("Europe/Kyiv", "Europe/Simferopol"),
}
"Zones of landlines, and of mobile numbers that have area codes, in place of what the library has."
