from django.db import migrations

NL = (
    "Nagerekend volgens de vrijstelling voor korting op producten uit eigen bedrijf. Laat een belastingadviseur bevestigen "
    "of en hoe die hier geldt, voordat je deze bedragen gebruikt."
)
EN = (
    "Worked out after the Dutch exemption for discounts on a company's own products. A tax adviser must confirm whether and "
    "how it applies here before these amounts are used."
)


def add(apps, schema_editor):
    rule = apps.get_model("rewards", "DiscountRule")
    rule.objects.create(valid_from="2015-01-01", percentage=20, yearly_cap_cents=50_000, note_nl=NL, note_en=EN)


class Migration(migrations.Migration):
    """The rule since the Dutch work-related costs scheme binds every employer; the back office adds later ones."""

    dependencies = [("rewards", "0005_discount_rules")]
    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
