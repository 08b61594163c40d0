-- What the bench's mappings read where a table has sealed columns, or an agency has no table with one row a person.
-- The plain columns behind sealed ones are not shown. LEFT JOIN over a unique key: the planner leaves out the side that
-- a statement reads nothing of.
DROP VIEW IF EXISTS hub_bench.police_hukou, hub_bench.tax_taxpayer, hub_bench.justice_sentence,
  hub_bench.social_insurance_account, hub_bench.civil_marital_status;

CREATE VIEW hub_bench.police_hukou AS
SELECT s.resident_id, s.as_of, s.name_sealed, s.address_sealed,
  h.person_id, h.sex, h.birth_date, h.nation, h.county_code, h.hukou_type, h.registered_on
FROM hub_bench.police_hukou_sealed s LEFT JOIN police.hukou h ON h.resident_id = s.resident_id;

CREATE VIEW hub_bench.tax_taxpayer AS
SELECT s.resident_id, s.as_of, s.tax_no_sealed, t.office, t.category, t.registered_on, t.credit_rating, t.status
FROM hub_bench.tax_taxpayer_sealed s LEFT JOIN tax.taxpayer t ON t.resident_id = s.resident_id;

CREATE VIEW hub_bench.justice_sentence AS
SELECT x.rec_id, x.resident_id, s.crime_sealed, x.case_no, x.court, x.term_months, x.sentenced_on, x.prison, x.category, x.fine
FROM justice.sentence x LEFT JOIN hub_bench.justice_sentence_sealed s ON s.rec_id = x.rec_id;

CREATE VIEW hub_bench.social_insurance_account AS
SELECT x.rec_id, x.resident_id, s.account_no_sealed, x.scheme, x.opened_on, x.balance, x.status, x.months_paid, x.last_paid_on
FROM social.insurance_account x LEFT JOIN hub_bench.social_insurance_account_sealed s ON s.rec_id = x.rec_id;

CREATE VIEW hub_bench.civil_marital_status AS
SELECT x.rec_id, x.resident_id, s.spouse_name_sealed, x.status, x.since, x.registry_no, x.office, x.children, x.updated_on
FROM civil.marital_status x LEFT JOIN hub_bench.civil_marital_status_sealed s ON s.rec_id = x.rec_id;
