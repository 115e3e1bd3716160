//! Country names, their adjectives and ISO codes, so that "in Germany" and "German customers" are known to speak of a
//! country. General knowledge of the world, not of any database.

/// A country.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Country {
    /// The English short name.
    pub(super) name: &'static str,
    /// What its people and things are called; empty where the word means other things too.
    pub(super) adjective: &'static str,
    /// ISO 3166-1 alpha-2.
    pub(super) alpha2: &'static str,
    /// ISO 3166-1 alpha-3.
    pub(super) alpha3: &'static str,
}

impl Country {
    /// Every way to write its name that data use, in lower case.
    pub(super) fn spellings(self) -> Vec<String> {
        let name = self.name.to_lowercase();
        let others = SHORT_FORMS
            .iter()
            .filter(|(_, long)| *long == name)
            .map(|(short, _)| (*short).to_owned());
        others.chain([name.clone()]).collect()
    }
}

/// Other names, and the name in the list that each stands for, in lower case.
const SHORT_FORMS: &[(&str, &str)] = &[
    ("usa", "united states"),
    ("us", "united states"),
    ("u.s.a.", "united states"),
    ("united states of america", "united states"),
    ("uk", "united kingdom"),
    ("great britain", "united kingdom"),
    ("the netherlands", "netherlands"),
    ("holland", "netherlands"),
    ("czechia", "czech republic"),
    ("uae", "united arab emirates"),
];

/// The country of this name or usual short form, whatever the letter case.
pub(super) fn country_named(text: &str) -> Option<Country> {
    let lower = text.to_lowercase();
    let name = SHORT_FORMS
        .iter()
        .find(|(short, _)| *short == lower)
        .map_or(lower.as_str(), |(_, long)| *long);
    COUNTRIES
        .iter()
        .find(|country| country.name.to_lowercase() == name)
        .copied()
}

/// The country that an adjective means: "German".
pub(super) fn country_of_adjective(text: &str) -> Option<Country> {
    let lower = text.to_lowercase();
    COUNTRIES
        .iter()
        .find(|country| !country.adjective.is_empty() && country.adjective.to_lowercase() == lower)
        .copied()
}

const fn country(
    name: &'static str,
    adjective: &'static str,
    alpha2: &'static str,
    alpha3: &'static str,
) -> Country {
    Country {
        name,
        adjective,
        alpha2,
        alpha3,
    }
}

/// The countries that shops and offices most often speak of; the name alone is enough to be found.
const COUNTRIES: &[Country] = &[
    country("Argentina", "Argentinian", "AR", "ARG"),
    country("Australia", "Australian", "AU", "AUS"),
    country("Austria", "Austrian", "AT", "AUT"),
    country("Bangladesh", "Bangladeshi", "BD", "BGD"),
    country("Belgium", "Belgian", "BE", "BEL"),
    country("Bolivia", "Bolivian", "BO", "BOL"),
    country("Brazil", "Brazilian", "BR", "BRA"),
    country("Bulgaria", "Bulgarian", "BG", "BGR"),
    country("Canada", "Canadian", "CA", "CAN"),
    country("Chile", "Chilean", "CL", "CHL"),
    country("China", "Chinese", "CN", "CHN"),
    country("Colombia", "Colombian", "CO", "COL"),
    country("Costa Rica", "", "CR", "CRI"),
    country("Croatia", "Croatian", "HR", "HRV"),
    country("Cuba", "Cuban", "CU", "CUB"),
    country("Cyprus", "", "CY", "CYP"),
    country("Czech Republic", "Czech", "CZ", "CZE"),
    country("Denmark", "Danish", "DK", "DNK"),
    country("Ecuador", "", "EC", "ECU"),
    country("Egypt", "Egyptian", "EG", "EGY"),
    country("Estonia", "Estonian", "EE", "EST"),
    country("Ethiopia", "Ethiopian", "ET", "ETH"),
    country("Finland", "Finnish", "FI", "FIN"),
    country("France", "French", "FR", "FRA"),
    country("Germany", "German", "DE", "DEU"),
    country("Ghana", "Ghanaian", "GH", "GHA"),
    country("Greece", "Greek", "GR", "GRC"),
    country("Hungary", "Hungarian", "HU", "HUN"),
    country("Iceland", "Icelandic", "IS", "ISL"),
    country("India", "Indian", "IN", "IND"),
    country("Indonesia", "Indonesian", "ID", "IDN"),
    country("Iran", "Iranian", "IR", "IRN"),
    country("Iraq", "Iraqi", "IQ", "IRQ"),
    country("Ireland", "Irish", "IE", "IRL"),
    country("Israel", "Israeli", "IL", "ISR"),
    country("Italy", "Italian", "IT", "ITA"),
    country("Jamaica", "Jamaican", "JM", "JAM"),
    country("Japan", "Japanese", "JP", "JPN"),
    country("Kenya", "Kenyan", "KE", "KEN"),
    country("Latvia", "Latvian", "LV", "LVA"),
    country("Lithuania", "Lithuanian", "LT", "LTU"),
    country("Luxembourg", "", "LU", "LUX"),
    country("Malaysia", "Malaysian", "MY", "MYS"),
    country("Malta", "Maltese", "MT", "MLT"),
    country("Mexico", "Mexican", "MX", "MEX"),
    country("Morocco", "Moroccan", "MA", "MAR"),
    country("Netherlands", "Dutch", "NL", "NLD"),
    country("New Zealand", "", "NZ", "NZL"),
    country("Nigeria", "Nigerian", "NG", "NGA"),
    country("Norway", "Norwegian", "NO", "NOR"),
    country("Pakistan", "Pakistani", "PK", "PAK"),
    country("Peru", "Peruvian", "PE", "PER"),
    country("Philippines", "Filipino", "PH", "PHL"),
    country("Poland", "", "PL", "POL"),
    country("Portugal", "Portuguese", "PT", "PRT"),
    country("Romania", "Romanian", "RO", "ROU"),
    country("Russia", "Russian", "RU", "RUS"),
    country("Saudi Arabia", "Saudi", "SA", "SAU"),
    country("Serbia", "Serbian", "RS", "SRB"),
    country("Singapore", "", "SG", "SGP"),
    country("Slovakia", "Slovak", "SK", "SVK"),
    country("Slovenia", "Slovenian", "SI", "SVN"),
    country("South Africa", "", "ZA", "ZAF"),
    country("South Korea", "", "KR", "KOR"),
    country("Spain", "Spanish", "ES", "ESP"),
    country("Sweden", "Swedish", "SE", "SWE"),
    country("Switzerland", "Swiss", "CH", "CHE"),
    country("Taiwan", "Taiwanese", "TW", "TWN"),
    country("Thailand", "Thai", "TH", "THA"),
    country("Turkey", "", "TR", "TUR"),
    country("Ukraine", "Ukrainian", "UA", "UKR"),
    country("United Arab Emirates", "", "AE", "ARE"),
    country("United Kingdom", "British", "GB", "GBR"),
    country("United States", "American", "US", "USA"),
    country("Uruguay", "Uruguayan", "UY", "URY"),
    country("Venezuela", "Venezuelan", "VE", "VEN"),
    country("Vietnam", "Vietnamese", "VN", "VNM"),
];
