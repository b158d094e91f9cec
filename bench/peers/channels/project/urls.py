"""Nothing is served over plain HTTP here."""

urlpatterns = []
