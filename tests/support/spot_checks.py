"""Forty well-known species, and what each table's own row says of them, read by eye and not by the importer.

A ``+`` is true, a ``-`` false, a ``?`` unknown. What the row holds stands beside it.
"""

from __future__ import annotations

# species: (class, order, family)
TAXA = {
    "Struthio camelus": ("Aves", "Struthioniformes", "Struthionidae"),
    "Spheniscus demersus": ("Aves", "Sphenisciformes", "Spheniscidae"),
    "Gavia immer": ("Aves", "Gaviiformes", "Gaviidae"),
    "Pandion haliaetus": ("Aves", "Accipitriformes", "Pandionidae"),
    "Falco peregrinus": ("Aves", "Falconiformes", "Falconidae"),
    "Gyps fulvus": ("Aves", "Accipitriformes", "Accipitridae"),
    "Bubo bubo": ("Aves", "Strigiformes", "Strigidae"),
    "Apus apus": ("Aves", "Apodiformes", "Apodidae"),
    "Hirundo rustica": ("Aves", "Passeriformes", "Hirundinidae"),
    "Archilochus colubris": ("Aves", "Apodiformes", "Trochilidae"),
    "Dendrocopos major": ("Aves", "Piciformes", "Picidae"),
    "Turdus merula": ("Aves", "Passeriformes", "Turdidae"),
    "Parus major": ("Aves", "Passeriformes", "Paridae"),
    "Passer domesticus": ("Aves", "Passeriformes", "Passeridae"),
    "Anas platyrhynchos": ("Aves", "Anseriformes", "Anatidae"),
    "Ramphastos toco": ("Aves", "Piciformes", "Ramphastidae"),
    "Fratercula arctica": ("Aves", "Charadriiformes", "Alcidae"),
    "Branta leucopsis": ("Aves", "Anseriformes", "Anatidae"),
    "Canis lupus": ("Mammalia", "Carnivora", "Canidae"),
    "Panthera leo": ("Mammalia", "Carnivora", "Felidae"),
    "Lutra lutra": ("Mammalia", "Carnivora", "Mustelidae"),
    "Balaenoptera musculus": ("Mammalia", "Artiodactyla", "Balaenopteridae"),
    "Loxodonta africana": ("Mammalia", "Proboscidea", "Elephantidae"),
    "Pan troglodytes": ("Mammalia", "Primates", "Hominidae"),
    "Sciurus vulgaris": ("Mammalia", "Rodentia", "Sciuridae"),
    "Castor fiber": ("Mammalia", "Rodentia", "Castoridae"),
    "Phascolarctos cinereus": ("Mammalia", "Diprotodontia", "Phascolarctidae"),
    "Osphranter rufus": ("Mammalia", "Diprotodontia", "Macropodidae"),  # Macropus rufus in both tables
    "Pteropus vampyrus": ("Mammalia", "Chiroptera", "Pteropodidae"),
    "Talpa europaea": ("Mammalia", "Eulipotyphla", "Talpidae"),
    "Rana temporaria": ("Amphibia", "Anura", "Ranidae"),
    "Bufo bufo": ("Amphibia", "Anura", "Bufonidae"),
    "Hyla arborea": ("Amphibia", "Anura", "Hylidae"),
    "Salamandra salamandra": ("Amphibia", "Caudata", "Salamandridae"),
    "Lithobates catesbeianus": ("Amphibia", "Anura", "Ranidae"),
    "Ambystoma mexicanum": ("Amphibia", "Caudata", "Ambystomatidae"),
    "Carcharodon carcharias": ("Elasmobranchii", "Lamniformes", "Lamnidae"),
    "Salmo salar": ("Actinopterygii", "Salmoniformes", "Salmonidae"),
    "Crocodylus niloticus": ("Reptilia", "Crocodylia", "Crocodylidae"),
    "Danio rerio": ("Actinopterygii", "Cypriniformes", "Danionidae"),
}

SAID = [
    # AVONET: habitat, migration, niche, lifestyle, latitudes
    (
        "Struthio camelus",
        "avonet",
        "+omnivore +shrubland +terrestrial +walking +sedentary -flying -forest ?grassland",
    ),
    ("Struthio camelus", "avonet", "+tropical +temperate -polar"),  # 30.9 S to 22.5 N
    (
        "Spheniscus demersus",
        "avonet",
        "+marine +aquatic +swimming +partial-migrant -flying -omnivore ?insectivore ?piscivore",
    ),
    (
        "Gavia immer",
        "avonet",
        "+wetland +migratory +aquatic +flying -tropical +temperate +polar",
    ),  # 41.9 to 80.8 N
    ("Pandion haliaetus", "avonet", "+marine +aerial +flying +migratory -carnivore ?piscivore"),
    (
        "Falco peregrinus",
        "avonet",
        "+carnivore +grassland +aerial +partial-migrant -piscivore -sedentary ?shrubland",
    ),
    ("Gyps fulvus", "avonet", "+carnivore +terrestrial +sedentary +tropical +temperate -polar"),  # a scavenger
    ("Bubo bubo", "avonet", "+carnivore +arboreal +flying -forest -wetland ?shrubland ?grassland"),  # rock
    (
        "Apus apus",
        "avonet",
        "+insectivore +aerial +human-modified +migratory -tropical +temperate +polar -terrestrial",
    ),
    ("Hirundo rustica", "avonet", "+insectivore +aerial +human-modified +migratory +tropical"),
    ("Archilochus colubris", "avonet", "+nectarivore +forest +migratory -tropical +temperate ?aerial ?arboreal"),
    ("Dendrocopos major", "avonet", "+omnivore +forest +climbing +arboreal +sedentary ?shrubland -granivore"),
    (
        "Turdus merula",
        "avonet",
        "+omnivore +forest +sedentary +flying -tropical +temperate +polar ?terrestrial ?arboreal",
    ),
    (
        "Parus major",
        "avonet",
        "+insectivore +forest +arboreal -swimming +tropical +temperate +polar ?human-modified",
    ),
    ("Passer domesticus", "avonet", "+granivore +human-modified +terrestrial +walking -forest -migratory"),
    ("Anas platyrhynchos", "avonet", "+herbivore +wetland +aquatic +swimming +partial-migrant -omnivore ?marine"),
    ("Ramphastos toco", "avonet", "+frugivore +grassland +arboreal -forest +tropical +temperate -polar"),
    ("Fratercula arctica", "avonet", "+marine +aquatic +migratory -human-modified -forest"),
    ("Branta leucopsis", "avonet", "+herbivore +grassland +terrestrial +migratory -granivore -tropical"),
    # EltonTraits, birds: shares of the diet, shares of the layers, nocturnal
    (
        "Struthio camelus",
        "eltontraits-birds",
        "+omnivore ?herbivore -granivore +terrestrial -arboreal -flying",
    ),  # 50 % plants
    ("Spheniscus demersus", "eltontraits-birds", "+piscivore +marine +swimming +aquatic -flying -walking"),
    (
        "Gavia immer",
        "eltontraits-birds",
        "+piscivore +aquatic -omnivore -terrestrial ?marine ?swimming",
    ),  # at the surface
    ("Pandion haliaetus", "eltontraits-birds", "+piscivore +aquatic +swimming +diurnal -nocturnal"),  # dives, 40 %
    ("Falco peregrinus", "eltontraits-birds", "+carnivore -insectivore +diurnal +arboreal ?terrestrial +flying"),
    ("Gyps fulvus", "eltontraits-birds", "+carnivore +terrestrial -arboreal -omnivore"),
    ("Bubo bubo", "eltontraits-birds", "+carnivore +nocturnal -diurnal +terrestrial ?arboreal"),
    ("Apus apus", "eltontraits-birds", "+insectivore +aerial +flying -arboreal -terrestrial -aquatic"),
    ("Archilochus colubris", "eltontraits-birds", "+nectarivore -insectivore +arboreal +flying"),  # 60 % nectar
    ("Dendrocopos major", "eltontraits-birds", "?insectivore +omnivore +climbing +arboreal -terrestrial"),  # 50 %
    ("Turdus merula", "eltontraits-birds", "?insectivore +omnivore +terrestrial +walking ?arboreal -frugivore"),
    ("Passer domesticus", "eltontraits-birds", "+granivore -omnivore -herbivore +terrestrial +arboreal"),
    ("Anas platyrhynchos", "eltontraits-birds", "+omnivore +swimming +aquatic ?terrestrial -granivore"),
    ("Ramphastos toco", "eltontraits-birds", "+frugivore +arboreal -omnivore"),
    ("Fratercula arctica", "eltontraits-birds", "+piscivore +marine +swimming -insectivore"),
    ("Branta leucopsis", "eltontraits-birds", "+herbivore -granivore +terrestrial ?aquatic"),
    # EltonTraits, mammals
    (
        "Canis lupus",
        "eltontraits-mammals",
        "+carnivore +nocturnal +crepuscular -diurnal +terrestrial -arboreal -flying ?aquatic",
    ),
    ("Panthera leo", "eltontraits-mammals", "+carnivore -omnivore +nocturnal +walking"),
    (
        "Lutra lutra",
        "eltontraits-mammals",
        "-carnivore +aquatic +swimming +wetland +diurnal +nocturnal -omnivore -piscivore",
    ),
    (
        "Balaenoptera musculus",
        "eltontraits-mammals",
        "+insectivore +marine +aquatic +swimming -terrestrial -walking -climbing",
    ),
    ("Loxodonta africana", "eltontraits-mammals", "+herbivore -frugivore +diurnal +nocturnal +walking"),
    (
        "Pan troglodytes",
        "eltontraits-mammals",
        "+frugivore -omnivore +arboreal +terrestrial +climbing +diurnal -nocturnal",
    ),
    (
        "Sciurus vulgaris",
        "eltontraits-mammals",
        "?granivore -omnivore -herbivore +arboreal +climbing -terrestrial +diurnal",
    ),
    ("Castor fiber", "eltontraits-mammals", "+herbivore +aquatic +swimming +wetland +nocturnal -diurnal ?marine"),
    ("Phascolarctos cinereus", "eltontraits-mammals", "+herbivore +arboreal -terrestrial +nocturnal -crepuscular"),
    ("Osphranter rufus", "eltontraits-mammals", "+herbivore +leaping +terrestrial +nocturnal +crepuscular"),
    ("Pteropus vampyrus", "eltontraits-mammals", "+frugivore +flying -leaping ?arboreal ?aerial +nocturnal"),
    ("Talpa europaea", "eltontraits-mammals", "+insectivore +terrestrial ?walking -arboreal +diurnal"),
    # PanTHERIA: activity, trophic level, ground or above, group, latitudes
    (
        "Canis lupus",
        "pantheria",
        "?nocturnal ?diurnal -herbivore -omnivore ?carnivore +terrestrial -arboreal +polar +temperate +tropical",
    ),
    ("Panthera leo", "pantheria", "+nocturnal -diurnal +tropical +temperate -polar ?solitary ?group-living"),
    (
        "Balaenoptera musculus",
        "pantheria",
        "+aquatic +swimming -terrestrial ?solitary ?tropical -flying",
    ),  # groups of 1.25
    (
        "Loxodonta africana",
        "pantheria",
        "+group-living -solitary +diurnal -nocturnal -carnivore -omnivore ?herbivore",
    ),
    ("Pan troglodytes", "pantheria", "+omnivore +arboreal +group-living +diurnal +tropical -temperate"),
    ("Sciurus vulgaris", "pantheria", "+omnivore +arboreal -tropical +temperate +polar"),
    ("Castor fiber", "pantheria", "-omnivore -tropical +polar ?nocturnal ?terrestrial"),
    ("Phascolarctos cinereus", "pantheria", "+solitary -group-living +arboreal +nocturnal +tropical +temperate"),
    ("Osphranter rufus", "pantheria", "+group-living +terrestrial -arboreal +nocturnal"),
    ("Pteropus vampyrus", "pantheria", "+flying +tropical -temperate ?arboreal ?aerial -insectivore"),
    # AmphiBIO, which writes only ones
    (
        "Rana temporaria",
        "amphibio",
        "+insectivore +diurnal +nocturnal ?crepuscular +terrestrial +aquatic +arboreal +leaping -flying",
    ),
    ("Bufo bufo", "amphibio", "+insectivore +nocturnal +crepuscular ?diurnal ?arboreal ?leaping"),
    ("Hyla arborea", "amphibio", "+arboreal +climbing +leaping ?aquatic +crepuscular"),
    ("Salamandra salamandra", "amphibio", "+insectivore +terrestrial -leaping ?climbing"),
    ("Lithobates catesbeianus", "amphibio", "+omnivore ?insectivore ?carnivore +leaping +aquatic"),  # leaves, too
    ("Ambystoma mexicanum", "amphibio", "+aquatic ?terrestrial ?insectivore ?nocturnal -leaping"),
    # AnAge: class and order only
    ("Apus apus", "anage", "+flying ?aerial ?insectivore"),
    ("Spheniscus demersus", "anage", "-flying +swimming +aquatic"),
    ("Balaenoptera musculus", "anage", "+aquatic +swimming -terrestrial -flying"),
    ("Rana temporaria", "anage", "-flying -aerial ?leaping"),
    ("Carcharodon carcharias", "anage", "+aquatic +swimming +marine -flying -walking"),
    ("Salmo salar", "anage", "+aquatic +swimming -terrestrial ?marine"),
    ("Crocodylus niloticus", "anage", "-flying ?aquatic ?swimming"),
    ("Danio rerio", "anage", "+aquatic -arboreal"),
]
