# ruff: noqa: E501
"""Pools that people and companies are put together from, by country. The first entries of a pool are the commonest."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Country:
    """`weight` is the share among clients. `phone` is the prefix and how many digits follow it."""

    code: str
    weight: int
    phone: tuple[str, int]
    zip: str
    first: tuple[str, ...]
    last: tuple[str, ...]
    cities: tuple[str, ...]
    streets: tuple[str, ...]
    forms: tuple[str, ...]


def _c(
    code: str,
    weight: int,
    phone: tuple[str, int],
    zip_: str,
    first: str,
    last: str,
    cities: str,
    streets: str,
    forms: str,
) -> Country:
    def pool(text: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in text.split(","))

    return Country(code, weight, phone, zip_, pool(first), pool(last), pool(cities), pool(streets), pool(forms))


#: in a postal code 9 stands for any digit, A for any letter
COUNTRIES = (
    _c("LT", 300, ("+3706", 7), "LT-99999",
       "Jonas, Rūta, Tomas, Eglė, Mantas, Živilė, Šarūnas, Agnė, Gediminas, Ąžuolas, Ieva, Lukas, Monika, Paulius, Ugnė,"
       "Vytautas, Žygimantas, Jūratė, Darius, Austėja",
       "Kazlauskas, Petrauskas, Jankauskas, Stankevičius, Vasiliauskas, Žukauskas, Butkus, Paulauskas, Urbonas,"
       "Kavaliauskas, Navickas, Ramanauskas, Šimkutė, Mickevičius, Žemaitytė, Čepaitis, Grigaitis, Vaitkūnas",
       "Vilnius, Kaunas, Klaipėda, Šiauliai, Panevėžys", "Gedimino pr., Žalgirio g., Laisvės al., Pilies g., Ąžuolyno g.",
       "UAB, AB, MB, VšĮ"),
    _c("EE", 90, ("+3725", 7), "99999",
       "Rasmus, Kadri, Marko, Liis, Tõnu, Õie, Siim, Kertu, Jaan, Maarja, Priit, Ülle, Hannes, Kristiina",
       "Tamm, Saar, Sepp, Mägi, Kask, Kukk, Rebane, Ilves, Pärn, Koppel, Õunapuu, Lõhmus, Jõgi, Kallas, Raudsepp",
       "Tallinn, Tartu, Pärnu, Võru", "Narva mnt, Pärnu mnt, Õpetaja tn, Lai tn", "OÜ, AS, MTÜ"),
    _c("LV", 70, ("+3712", 7), "LV-9999",
       "Jānis, Anna, Andris, Kristīne, Edgars, Līga, Māris, Ilze, Raimonds, Zane",
       "Bērziņš, Kalniņš, Ozoliņš, Jansons, Krūmiņa, Liepiņa, Zariņš, Eglītis, Šmits, Vītola",
       "Rīga, Liepāja, Jelgava, Daugavpils", "Brīvības iela, Čaka iela, Elizabetes iela", "SIA, AS"),
    _c("PL", 160, ("+485", 8), "99-999",
       "Łukasz, Agnieszka, Paweł, Małgorzata, Jan, Zofia, Krzysztof, Elżbieta, Michał, Katarzyna, Wojciech, Łucja,"
       "Grzegorz, Świętosława, Bartłomiej",
       "Nowak, Kowalski, Wiśniewska, Dąbrowska, Lewandowski, Wójcik, Kamiński, Zielińska, Szymański, Woźniak, Kozłowski,"
       "Brzęczyszczykiewicz, Źrebiec, Grabowska, Pawłowski, Żak",
       "Warszawa, Kraków, Łódź, Gdańsk, Wrocław, Poznań", "ul. Długa, ul. Świętojańska, ul. Piotrkowska, al. Jerozolimskie",
       "Sp. z o.o., S.A., Sp. j."),
    _c("DE", 120, ("+4915", 9), "99999",
       "Jürgen, Anna, Björn, Käthe, Stefan, Sabine, Uwe, Ursula, Matthias, Günther, Lena, Maximilian, Änne, Hans-Peter",
       "Müller, Schmidt, Weiß, Schröder, Groß, Jäger, Köhler, Krüger, Vogel, von der Heydt, Fuchs, Lange, Schäfer, Böhm,"
       "Freiherr von und zu Guttenthal-Löwenstein",
       "Berlin, Hamburg, München, Köln, Düsseldorf", "Hauptstraße, Goethestraße, Am Schloßgarten, Königsallee",
       "GmbH, AG, KG, UG (haftungsbeschränkt), e.K."),
    _c("FR", 80, ("+336", 8), "99999",
       "Élise, François, Chloé, Benoît, Hélène, Étienne, Anaïs, Thierry, Zoé, Jean-Baptiste, Maëlys, Gaël",
       "Martin, Lefèvre, Dubois, Garnier, Bélanger, Chevalier, Fournier, Gauthier, D’Aubigné, de La Rochefoucauld, Noël",
       "Paris, Lyon, Marseille, Nîmes", "rue de la Paix, avenue Foch, boulevard Saint-Michel, rue de l’Église",
       "SARL, SAS, SA"),
    _c("ES", 70, ("+346", 8), "99999",
       "María, José, Begoña, Íñigo, Lucía, Jesús, Ángela, Raúl, Núria, Martín",
       "García, Fernández, Núñez, Ibáñez, Muñoz Ordóñez, López, Peña, Gutiérrez, Sáez de Santamaría, Castaño",
       "Madrid, Barcelona, Málaga, Córdoba", "Calle Mayor, Paseo de Gracia, Avenida de España", "S.L., S.A."),
    _c("UA", 60, ("+38067", 7), "99999",
       "Олександр, Ірина, Андрій, Оксана, Тарас, Юлія, Микола, Наталія, Їжакевич, Богдан",
       "Шевченко, Коваленко, Бондаренко, Ткаченко, Кравчук, Мельник, Лисенко, Поліщук, Гончаренко, Панасюк",
       "Київ, Львів, Одеса, Харків", "вул. Хрещатик, вул. Личаківська, просп. Перемоги", "ТОВ, ПрАТ"),
    _c("BG", 40, ("+35988", 7), "9999",
       "Иван, Мария, Георги, Елена, Димитър, Цветелина, Стоян, Йорданка, Боян, Щилиян",
       "Иванов, Георгиева, Димитров, Стоянова, Петров, Николов, Тодорова, Христов, Ангелов, Йорданов",
       "София, Пловдив, Варна, Бургас", "бул. Витоша, ул. Граф Игнатиев, ул. Шипка", "ЕООД, ООД, АД"),
    _c("GR", 35, ("+3069", 8), "999 99",
       "Γιώργος, Μαρία, Νίκος, Ελένη, Δημήτρης, Αικατερίνη, Κώστας, Ιωάννα",
       "Παπαδόπουλος, Νικολάου, Γεωργίου, Οικονόμου, Παπαδάκη, Βλάχος, Αθανασίου, Παπακωνσταντινοπούλου",
       "Αθήνα, Θεσσαλονίκη, Πάτρα", "Οδός Ερμού, Λεωφόρος Κηφισίας, Οδός Αθηνάς", "Α.Ε., Ε.Π.Ε., Ι.Κ.Ε."),
    _c("TR", 35, ("+9053", 8), "99999",
       "Işıl, Çağlar, Ömer, Şule, Gökhan, İbrahim, Ayşe, Tuğçe, Mehmet, Ümit",
       "Yılmaz, Öztürk, Şahin, Çelik, Kılıç, Doğan, Aydın, Güneş, Karadağ, Ağaoğlu",
       "İstanbul, Ankara, İzmir", "İstiklal Caddesi, Atatürk Bulvarı, Bağdat Caddesi", "A.Ş., Ltd. Şti."),
    _c("SE", 45, ("+467", 8), "999 99",
       "Åsa, Björn, Ingrid, Göran, Märta, Örjan, Linnéa, Håkan, Sven, Elin",
       "Andersson, Åkesson, Öberg, Lindström, Sjöberg, Nyström, Bergström, Håkansson, Ek, Björk",
       "Stockholm, Göteborg, Malmö", "Drottninggatan, Storgatan, Östra Vägen", "AB, HB"),
    _c("DK", 30, ("+452", 7), "9999",
       "Søren, Jørgen, Astrid, Bjørn, Mette, Kåre, Ærø, Signe", "Jensen, Sørensen, Østergaard, Møller, Kjær, Bødker, Nørgaard",
       "København, Aarhus, Odense", "Strøget, Nørrebrogade, Ågade", "ApS, A/S"),
    _c("FI", 30, ("+35840", 7), "99999",
       "Väinö, Aino, Mikko, Päivi, Jyrki, Sinikka, Eero, Hannele", "Virtanen, Mäkinen, Hämäläinen, Järvinen, Pöyry, Ylönen",
       "Helsinki, Tampere, Jyväskylä", "Mannerheimintie, Hämeenkatu, Itäinen Pitkäkatu", "Oy, Oyj"),
    _c("IE", 45, ("+35386", 7), "A99 A999",
       "Siobhán, Seán, Aoife, Pádraig, Niamh, Conor, Róisín, Oisín",
       "O’Brien, O'Sullivan, Murphy, Ó Súilleabháin, Byrne, O’Connor, Walsh, McCarthy, Fitzgerald",
       "Dublin, Cork, Galway", "O’Connell Street, Grafton Street, Shop Street", "Ltd, DAC, plc"),
    _c("GB", 70, ("+4477", 8), "AA9 9AA",
       "Oliver, Charlotte, George, Amelia, Harry, Zoë, Chloe, Alistair, Florence, Rhys",
       "Smith, Jones, Taylor, Fitzwilliam, Ashworth, St John-Mildmay, Cholmondeley, Hughes, Clarke, Wright",
       "London, Manchester, Edinburgh, Leeds", "High Street, Station Road, King's Road, Church Lane", "Ltd, LLP, plc"),
    _c("IT", 50, ("+3932", 8), "99999",
       "Niccolò, Giulia, Matteo, Noè, Chiara, Giosuè, Lorenzo, Beatrice", "Rossi, Esposito, D’Angelo, De Luca, Ferrari, Lo Verde",
       "Roma, Milano, Torino", "Via Garibaldi, Corso Umberto I, Piazza della Libertà", "S.r.l., S.p.A."),
    _c("PT", 25, ("+35191", 7), "9999-999",
       "João, Inês, Luís, Conceição, Gonçalo, Patrícia", "Silva, Gonçalves, Conceição, Magalhães, Araújo, Guimarães",
       "Lisboa, Porto, Évora", "Rua Augusta, Avenida da Liberdade", "Lda., S.A."),
    _c("CZ", 30, ("+4207", 8), "999 99",
       "Jiří, Žofie, Ondřej, Tereza, Štěpán, Růžena", "Novák, Dvořáková, Říha, Šťastný, Černá, Křížek",
       "Praha, Brno, Plzeň", "Václavské náměstí, Dlouhá, Křižíkova", "s.r.o., a.s."),
    _c("RO", 25, ("+407", 8), "999999",
       "Ștefan, Ioana, Mihăiță, Ruxandra, Țvetan, Andreea", "Popescu, Ionescu, Țăranu, Bălănescu, Șerban, Rădulescu",
       "București, Cluj-Napoca, Iași", "Calea Victoriei, Strada Știrbei Vodă", "S.R.L., S.A."),
    _c("MT", 12, ("+35699", 6), "AAA 9999",
       "Ġorġ, Marija, Ċensu, Karmen", "Borg, Farruġia, Ħaber, Żammit, Caruana", "Valletta, Sliema, Ħamrun",
       "Triq ir-Repubblika, Triq il-Kbira", "Ltd, plc"),
)  # fmt: skip

#: put together into surnames that hardly anybody else has
SYLLABLES = (
    "bar", "bel", "dra", "dov", "fen", "gal", "gor", "hal", "jan", "kel", "kov", "lan", "lin", "mar", "mir", "nad", "nor",
    "ost", "pel", "rad", "ran", "rib", "sal", "sev", "sto", "tal", "tor", "val", "vid", "vor", "zan", "zel", "zub", "mund",
    "berg", "wick", "thorn", "quist", "ulm", "ebb",
)  # fmt: skip
ENDINGS = ("en", "ski", "mann", "sson", "ius", "ova", "ić", "ello", "aitis", "ström")

COMPANY_STEMS = (
    "Baltic", "Nordic", "Amber", "Meridian", "Harbour", "Sapphire", "Granite", "Aurora", "Vilnia", "Hanse", "Atlas",
    "Blue Heron", "Silverline", "Kestrel", "Northgate", "Österland", "Zephyr", "Białowieża", "Étoile", "Ñandú",
)  # fmt: skip
COMPANY_TRADES = (
    "Trade", "Logistics", "Consulting", "Software", "Foods", "Travel", "Media", "Textiles", "Marine", "Energy", "Pharma",
    "Payments", "Studio", "Workshop", "Timber", "Robotics", "Ventures", "Imports & Exports", "Maschinenbau", "Fintech",
)  # fmt: skip
LONG_COMPANY = (
    "Europäische Vereinigung für grenzüberschreitende Zusammenarbeit im öffentlichen Beschaffungswesen und nachhaltige"
    " Lieferketten",
    "Société Anonyme des Établissements Métallurgiques Réunis de la Vallée de la Haute-Meuse et de ses Affluents",
    "Tarptautinė prekybos, logistikos ir muitinės tarpininkavimo paslaugų bendrovė „Šiaurės vėjai“",
)
