"""What is stored, as the back office shows it."""

from tests.admin.conftest import Browse
from tests.assets.test_router import picture, upload
from tests.conftest import Person


async def test_of_a_universe_and_of_a_user(owner: Person, superuser: Person, browse: Browse) -> None:
    universe = await owner.universe()
    data = picture().ljust(5000, b"\0")
    assert (await upload(owner, universe, data)).status_code == 201
    page = (await (await browse(owner)).get(f"/admin/universe/details/{universe['id']}")).text
    assert "4.9 KiB of 500.0 MiB" in page
    page = (await (await browse(superuser)).get(f"/admin/user/details/{owner.id}")).text
    assert "4.9 KiB of 500.0 MiB" in page
