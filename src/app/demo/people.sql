-- Dice, and who there is: staff, customers, addresses.
--
-- Nothing here is random: a die is a hash of what it is thrown for, so that every run gives the same
-- shop. Only the dates move along: the shop always opened 24 months before today.

CREATE FUNCTION pg_temp.dice(thrown_for bigint, purpose text) RETURNS double precision
LANGUAGE sql IMMUTABLE AS $$
    SELECT (hashint8extended(thrown_for, hashtext(purpose)) & 2147483647)::double precision / 2147483648
$$;

CREATE FUNCTION pg_temp.pick(choices text[], die double precision) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT choices[1 + floor(cardinality(choices) * die)::int]
$$;

CREATE FUNCTION pg_temp.opening_day() RETURNS date
LANGUAGE sql STABLE AS $$
    SELECT (current_date - interval '24 months')::date
$$;

CREATE TEMP TABLE places (
    country text, share_from float, share_to float, phone text, code_prefix text, code_digits int, code_suffix text,
    cities text[], streets text[], first_names text[], last_names text[]
);
INSERT INTO places VALUES
('Germany', 0.00, 0.34, '+49', '', 5, '',
 '{Berlin,Hamburg,München,Köln,Frankfurt am Main,Leipzig,Stuttgart,Bremen}',
 '{Hauptstraße,Bahnhofstraße,Gartenweg,Lindenallee,Schillerstraße,Am Markt}',
 '{Anna,Lukas,Lena,Jonas,Mia,Felix,Sophie,Paul,Katharina,Maximilian,Julia,Jan,Sabine,Thomas}',
 '{Müller,Schmidt,Schneider,Fischer,Weber,Meyer,Wagner,Becker,Schulz,Hoffmann,Koch,Bauer,Richter,Klein,Wolf,Schröder}'),
('Austria', 0.34, 0.42, '+43', '', 4, '',
 '{Wien,Graz,Linz,Salzburg,Innsbruck}',
 '{Mariahilfer Straße,Ringstraße,Landstraße,Kirchengasse,Wiesenweg}',
 '{Johanna,David,Laura,Tobias,Valentina,Fabian,Elisabeth,Stefan}',
 '{Gruber,Huber,Pichler,Steiner,Moser,Mayer,Hofer,Leitner,Berger,Fuchs}'),
('Switzerland', 0.42, 0.49, '+41', '', 4, '',
 '{Zürich,Genève,Basel,Bern,Lausanne}',
 '{Bahnhofstrasse,Seestrasse,Rue du Lac,Dorfstrasse,Kirchgasse}',
 '{Noah,Emma,Luca,Lea,Matteo,Nina,Urs,Chloé}',
 '{Meier,Keller,Brunner,Favre,Baumann,Frei,Rochat,Bernasconi,Zimmermann,Suter}'),
('France', 0.49, 0.62, '+33', '', 5, '',
 '{Paris,Lyon,Marseille,Toulouse,Bordeaux,Nantes}',
 '{Rue de la Paix,Avenue Victor Hugo,Rue des Lilas,Boulevard Voltaire,Place du Marché}',
 '{Camille,Louis,Inès,Hugo,Manon,Jules,Léa,Antoine,Élise,Nicolas}',
 '{Martin,Bernard,Dubois,Thomas,Robert,Petit,Durand,Leroy,Moreau,Lefèvre,Girard,Mercier}'),
('Netherlands', 0.62, 0.70, '+31', '', 4, ' KB',
 '{Amsterdam,Rotterdam,Utrecht,Eindhoven,Den Haag}',
 '{Dorpsstraat,Kerkstraat,Prinsengracht,Stationsweg,Molenlaan}',
 '{Daan,Sanne,Bram,Fleur,Lars,Eva,Jeroen,Anouk}',
 '{de Jong,Jansen,de Vries,van den Berg,Bakker,Visser,Smit,Mulder,Bos,van Dijk}'),
('United Kingdom', 0.70, 0.82, '+44', 'SW', 2, ' 4AB',
 '{London,Manchester,Birmingham,Leeds,Glasgow,Bristol}',
 '{High Street,Station Road,Church Lane,Victoria Road,Green Lane}',
 '{Oliver,Amelia,George,Isla,Harry,Ava,Jack,Emily,Charlotte,James}',
 '{Smith,Jones,Taylor,Brown,Williams,Wilson,Davies,Evans,Walker,O''Brien,Hughes,Clarke}'),
('Italy', 0.82, 0.89, '+39', '', 5, '',
 '{Milano,Roma,Torino,Napoli,Bologna}',
 '{Via Roma,Corso Italia,Via Garibaldi,Piazza Dante,Via Verdi}',
 '{Leonardo,Sofia,Francesco,Giulia,Alessandro,Aurora,Marco,Chiara}',
 '{Rossi,Russo,Ferrari,Esposito,Bianchi,Romano,Colombo,Ricci,Marino,Greco}'),
('Spain', 0.89, 0.95, '+34', '', 5, '',
 '{Madrid,Barcelona,Valencia,Sevilla,Málaga}',
 '{Calle Mayor,Calle Real,Avenida de la Constitución,Plaza España,Calle del Sol}',
 '{Lucía,Mateo,Martina,Hugo,María,Pablo,Carmen,Javier}',
 '{García,Rodríguez,González,Fernández,López,Martínez,Sánchez,Pérez,Gómez,Ruiz}'),
('Poland', 0.95, 1.00, '+48', '30-', 3, '',
 '{Warszawa,Kraków,Wrocław,Gdańsk,Łódź}',
 '{ulica Polna,ulica Leśna,ulica Słoneczna,ulica Krótka,aleja Róż}',
 '{Zofia,Jakub,Hanna,Antoni,Julia,Szymon,Agnieszka,Piotr}',
 '{Nowak,Kowalski,Wiśniewski,Wójcik,Kamiński,Lewandowski,Zieliński,Szymański,Dąbrowski,Mazur}');

INSERT INTO staff (id, name, email, job_title, manager_id, salary, hired_on)
SELECT
    id,
    first_name || ' ' || last_name,
    lower(translate(first_name, 'éèíłńóü', 'eeilnou')) || '.' || id || '@shop.example',
    job_title,
    CASE WHEN id = 1 THEN NULL WHEN id <= 5 THEN 1 ELSE 2 + id % 4 END,
    round((base * (0.9 + 0.25 * pg_temp.dice(id, 'salary')))::numeric, -2),
    pg_temp.opening_day() + (id * 13) % 500
FROM (
    SELECT
        id,
        pg_temp.pick(p.first_names, pg_temp.dice(id, 'staff first name')) AS first_name,
        pg_temp.pick(p.last_names, pg_temp.dice(id, 'staff last name')) AS last_name,
        CASE
            WHEN id = 1 THEN 'Managing Director'
            WHEN id <= 5 THEN (ARRAY['Head of Support', 'Head of Logistics', 'Head of Purchasing', 'Head of IT'])[id - 1]
            WHEN id % 4 = 0 THEN 'Support Agent'
            WHEN id % 4 = 1 THEN 'Warehouse Worker'
            WHEN id % 4 = 2 THEN 'Buyer'
            ELSE 'Software Engineer'
        END AS job_title,
        CASE WHEN id = 1 THEN 148000 WHEN id <= 5 THEN 92000 WHEN id % 4 = 3 THEN 71000 WHEN id % 4 = 2 THEN 56000 ELSE 41000 END AS base
    FROM generate_series(1, 45) AS id
    JOIN places AS p ON pg_temp.dice(id, 'staff country') >= p.share_from AND pg_temp.dice(id, 'staff country') < p.share_to
) AS person;

-- A customer's number grows with the date of signing up, faster and faster.
CREATE TEMP TABLE people AS
SELECT
    id,
    p.country,
    p.phone,
    p.code_prefix,
    p.code_digits,
    p.code_suffix,
    pg_temp.pick(p.cities, pg_temp.dice(id, 'city') ^ 1.5) AS city,
    p.cities,
    p.streets,
    pg_temp.pick(p.first_names, pg_temp.dice(id, 'first name')) AS first_name,
    pg_temp.pick(p.last_names, pg_temp.dice(id, 'last name') ^ 1.3) AS last_name,
    CASE
        WHEN pg_temp.dice(id, 'segment') < 0.86 THEN 'private'
        WHEN pg_temp.dice(id, 'segment') < 0.98 THEN 'small business'
        ELSE 'Key Account'
    END AS segment,
    created_at
FROM (
    SELECT
        id,
        date_trunc('second', pg_temp.opening_day() + (
            CASE WHEN id <= 150 THEN 7.0 * id / 150
                 ELSE 7 + (current_date + 1 - pg_temp.opening_day() - 7) * ((id - 150) / 4650.0) ^ 0.8
            END
        ) * interval '1 day') AS created_at
    FROM generate_series(1, 4800) AS id
) AS signed_up
JOIN places AS p ON pg_temp.dice(id, 'country') >= p.share_from AND pg_temp.dice(id, 'country') < p.share_to
WHERE created_at < now();

INSERT INTO customers (id, name, email, phone, company, city, country, segment, date_of_birth, newsletter, interests, preferences, created_at)
SELECT
    id,
    first_name || ' ' || last_name,
    lower(translate(first_name, 'éèíłńóüÉ', 'eeilnoue') || '.' || translate(last_name, 'áäçèéíłńóöüśąż ''', 'aaceeilnoousaz'))
        || id || '@' || pg_temp.pick('{example.com,example.org,example.net}', pg_temp.dice(id, 'mail')),
    CASE WHEN pg_temp.dice(id, 'phone') < 0.7
         THEN phone || ' ' || lpad(floor(1e9 * pg_temp.dice(id, 'phone number'))::bigint::text, 9, '0') END,
    CASE WHEN segment <> 'private'
         THEN last_name || ' ' || pg_temp.pick('{& Partner,Design,Studio,Interiors,Group,Events,Hotels}', pg_temp.dice(id, 'company')) END,
    city,
    country,
    segment,
    CASE WHEN segment = 'private' AND pg_temp.dice(id, 'birthday') < 0.8
         THEN current_date - (18 * 365 + floor(55 * 365 * pg_temp.dice(id, 'age') ^ 1.3))::int END,
    pg_temp.dice(id, 'newsletter') < 0.42,
    CASE WHEN pg_temp.dice(id, 'interests') < 0.35 THEN '{}'::text[]
         ELSE (ARRAY['Home', 'Kitchen', 'Garden', 'Office', 'Travel', 'Sports'])
              [1 + floor(3 * pg_temp.dice(id, 'interest from'))::int : 3 + floor(4 * pg_temp.dice(id, 'interest to'))::int] END,
    jsonb_build_object(
        'language', CASE WHEN country IN ('Germany', 'Austria') THEN 'de' WHEN country = 'France' THEN 'fr' ELSE 'en' END,
        'theme', pg_temp.pick('{light,dark,system}', pg_temp.dice(id, 'theme')),
        'notifications', jsonb_build_object('email', pg_temp.dice(id, 'by mail') < 0.8, 'sms', pg_temp.dice(id, 'by sms') < 0.2)
    ),
    created_at
FROM people;

-- Everyone has an address at home; some have a second one, often in another city.
INSERT INTO addresses (id, customer_id, label, street, postal_code, city, country, delivery_note)
SELECT
    row_number() OVER (ORDER BY id, nth),
    id,
    CASE WHEN nth = 1 THEN 'Home' WHEN pg_temp.dice(id, 'second') < 0.25 THEN 'Work' ELSE 'parcel locker' END,
    pg_temp.pick(streets, pg_temp.dice(id * 2 + nth, 'street')) || ' ' || 1 + floor(120 * pg_temp.dice(id * 2 + nth, 'house') ^ 2)::int,
    code_prefix
        || lpad(floor(10 ^ code_digits * pg_temp.dice(id * 2 + nth, 'postal code'))::int::text, code_digits, '0')
        || code_suffix,
    CASE WHEN nth = 1 THEN city ELSE pg_temp.pick(cities, pg_temp.dice(id, 'second city')) END,
    country,
    CASE WHEN pg_temp.dice(id * 2 + nth, 'note') < 0.12
         THEN pg_temp.pick('{Please ring twice,Leave with the neighbours,Third floor,Beware of the dog}', pg_temp.dice(id, 'which note')) END
FROM people
CROSS JOIN generate_series(1, 2) AS nth
WHERE nth = 1 OR pg_temp.dice(id, 'second') < 0.42;
