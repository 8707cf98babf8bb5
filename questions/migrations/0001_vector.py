from pgvector.django import VectorExtension

from django.db import migrations


class Migration(migrations.Migration):
    """pgvector must be there before the first vector column."""

    operations = [VectorExtension()]
