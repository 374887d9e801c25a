"""The pages of accounts in a browser: signing up, logging in, the links of mails, one's own account."""

import re
import time
from collections.abc import Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from uuid import uuid4

import httpx2
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Visiting
from tests.browser.driver import Visit
from tests.conftest import PASSWORD, Server

Mailbox = Callable[[str, str], str]
_WAIT_SECONDS = 20


@pytest.fixture
def link(server: Server) -> Mailbox:
    """Waits for a mail to an address with a subject; gives the link in it."""

    def wait(to: str, subject: str) -> str:
        end = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < end:
            for path in sorted((server.log.parent / "mail").glob("*.eml"), reverse=True):
                message = message_from_bytes(path.read_bytes(), policy=default)
                assert isinstance(message, EmailMessage)
                if (message["To"], message["Subject"]) == (to, subject):
                    found = re.search(r"http://\S+", message.get_content())
                    assert found, message.get_content()
                    return found[0]
            time.sleep(0.1)
        raise AssertionError(f"no mail “{subject}” to {to}")

    return wait


def new_address() -> str:
    return f"{uuid4().hex[:16]}@example.com"


def register(server: Server) -> str:
    """Sign a user up; returns the address."""
    email = new_address()
    body = {"email": email, "password": PASSWORD, "display_name": "Mira"}
    httpx2.post(f"{server.url}/auth/register", json=body).raise_for_status()
    return email


def fill(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        page.locator(f"#{name}").fill(value)


def log_in(page: Page, email: str, password: str = PASSWORD) -> None:
    page.goto("/login")
    fill(page, email=email, password=password)
    page.get_by_role("button", name="Log in", exact=True).click()


def at_account(page: Page) -> None:
    expect(page).to_have_url(re.compile("/account$"))
    page.locator("[data-loaded]").wait_for()


def test_a_form_waits_for_its_script(visit: Visiting) -> None:
    page = visit().page("/")
    waiting: list[Route] = []
    page.route("**/account/login.js*", lambda route: waiting.append(route))
    page.goto("/login", wait_until="commit")
    button = page.get_by_role("button", name="Log in", exact=True)
    fill(page, email=new_address(), password=PASSWORD)
    expect(button).to_be_disabled()
    page.keyboard.press("Enter")
    waiting[0].continue_()
    expect(button).to_be_enabled()
    assert page.url.endswith("/login")


class TestSignUp:
    def test_leads_to_ones_account(self, visit: Visiting) -> None:
        page, email = visit().page("/"), new_address()
        page.goto("/login")
        page.get_by_role("link", name="Create an account").click()
        fill(page, display_name="Mira of the Marsh", email=email, password=PASSWORD)
        page.get_by_role("button", name="Create account").click()
        at_account(page)
        expect(page.locator("#display_name")).to_have_value("Mira of the Marsh")
        expect(page.locator("[data-email]")).to_have_text(email)
        expect(page.get_by_text("not confirmed", exact=True)).to_be_visible()

    def test_without_a_name(self, visit: Visiting) -> None:
        page = visit().page("/signup")
        fill(page, email=new_address(), password=PASSWORD)
        page.keyboard.press("Enter")
        at_account(page)
        expect(page.locator("#display_name")).to_have_value(re.compile("^player-[0-9a-f]{4}$"))

    def test_what_is_wrong_is_said_beside_its_field(self, visit: Visiting, server: Server) -> None:
        one = visit()
        page = one.page("/signup")
        fill(page, display_name="   ", email="mira@localhost", password=PASSWORD)
        page.get_by_role("button", name="Create account").click()
        expect(page.locator("#email-error")).to_be_visible()
        expect(page.locator("#email")).to_be_focused()
        fill(page, email=register(server))
        page.get_by_role("button", name="Create account").click()
        expect(page.get_by_role("alert")).to_have_text("An account with this e-mail address already exists.")
        expect(page.locator("#email-error")).to_be_hidden()
        one.expect("422 POST /auth/register", "400 POST /auth/register")

    def test_the_mail_confirms_the_address(self, visit: Visiting, server: Server, link: Mailbox) -> None:
        one, email = visit(), register(server)
        page = one.page("/")
        log_in(page, email)
        at_account(page)
        page.goto(link(email, "Welcome to Worldkeep"))
        assert "token" not in page.url
        page.get_by_role("button", name="Confirm the address").click()
        expect(page.locator("[data-address]")).to_have_text(email)
        page.get_by_role("link", name="Continue to your account").click()
        expect(page.get_by_text("confirmed", exact=True)).to_be_visible()
        expect(page.get_by_text("not confirmed", exact=True)).to_be_hidden()

    @pytest.mark.parametrize("path", ["/verify-email", "/verify-email#token=nonsense"])
    def test_a_link_that_does_not_work(self, visit: Visiting, path: str) -> None:
        one = visit()
        page = one.page(path)
        if "#" in path:
            page.get_by_role("button", name="Confirm the address").click()
        expect(page.get_by_text("This link does not work")).to_be_visible()
        one.expect(*(["400 POST /auth/verify"] if "#" in path else []))


class TestLogIn:
    def test_redirects_to_the_requested_page(self, visit: Visiting, server: Server) -> None:
        page = visit().page("/account")
        expect(page).to_have_url(re.compile(r"/login\?next=/account$|/login\?next=%2Faccount$"))
        fill(page, email=register(server), password=PASSWORD)
        page.keyboard.press("Enter")
        at_account(page)

    def test_does_not_redirect_to_another_site(self, visit: Visiting, server: Server) -> None:
        one, email = visit(), register(server)
        for target in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:1"):
            page = one.page(f"/login?next={target}")
            fill(page, email=email, password=PASSWORD)
            page.keyboard.press("Enter")
            at_account(page)
            page.close()
            one.context.clear_cookies()

    def test_wrong_password(self, visit: Visiting, server: Server) -> None:
        one, email = visit(), register(server)
        page = one.page("/")
        log_in(page, email, "wrong password")
        expect(page.get_by_role("alert")).to_have_text("The e-mail address or the password is wrong.")
        one.expect("400 POST /auth/cookie/login")
        fill(page, password=PASSWORD)
        page.keyboard.press("Enter")
        at_account(page)

    def test_the_password_can_be_shown(self, visit: Visiting) -> None:
        page = visit().page("/login")
        button = page.get_by_role("button", name="Show the password")
        for kind, pressed in (("text", "true"), ("password", "false")):
            button.click()
            expect(page.locator("#password")).to_have_attribute("type", kind)
            expect(button).to_have_attribute("aria-pressed", pressed)

    def test_log_out(self, visit: Visiting, server: Server) -> None:
        one = visit()
        page = one.page("/")
        log_in(page, register(server))
        at_account(page)
        page.get_by_role("button", name="Log out", exact=True).click()
        expect(page).to_have_url(re.compile("/login$"))
        assert one.context.cookies() == []
        page.goto("/account")
        expect(page).to_have_url(re.compile("/login"))


class TestForgottenPassword:
    def test_by_the_link_of_the_mail(self, visit: Visiting, server: Server, link: Mailbox) -> None:
        email = register(server)
        page = visit().page("/login")
        page.get_by_role("link", name="Forgot your password?").click()
        fill(page, email=email)
        page.get_by_role("button", name="Send the mail").click()
        expect(page.locator("[data-done]")).to_contain_text(email)
        page.goto(link(email, "Set a new password"))
        assert "token" not in page.url
        fill(page, password="a new password")
        page.get_by_role("button", name="Set the password").click()
        expect(page.get_by_text("Your new password is set.")).to_be_visible()
        log_in(page, email, "a new password")
        at_account(page)

    def test_a_link_that_was_used(self, visit: Visiting, server: Server, link: Mailbox) -> None:
        one, email = visit(), register(server)
        page = one.page("/forgot-password")
        fill(page, email=email)
        page.keyboard.press("Enter")
        url = link(email, "Set a new password")
        for text in ("Your new password is set.", "This link does not work"):
            page.goto("about:blank")
            page.goto(url)
            fill(page, password="a new password")
            page.keyboard.press("Enter")
            expect(page.get_by_text(text)).to_be_visible()
        one.expect("400 POST /auth/reset-password")
        page.get_by_role("link", name="Request another mail").click()
        expect(page.locator("#email")).to_be_visible()


class TestAccount:
    @pytest.fixture
    def email(self, server: Server) -> str:
        return register(server)

    @pytest.fixture
    def one(self, visit: Visiting) -> Visit:
        return visit()

    @pytest.fixture
    def page(self, one: Visit, email: str) -> Page:
        page = one.page("/")
        log_in(page, email)
        at_account(page)
        return page

    def test_name(self, page: Page) -> None:
        fill(page, display_name="Zoë <b>of</b> the Marsh")
        page.get_by_role("button", name="Save the name").click()
        expect(page.get_by_text("Saved.")).to_be_visible()
        page.reload()
        expect(page.locator("#display_name")).to_have_value("Zoë <b>of</b> the Marsh")

    def test_address(self, one: Visit, page: Page, email: str, link: Mailbox) -> None:
        new = new_address()
        page.get_by_text("Change the address").click()
        fill(page, new_email=new, email_password="wrong password")
        page.get_by_role("button", name="Send the mail").click()
        expect(page.locator("#email_password-error")).to_have_text("This is not the current password.")
        one.expect("422 PATCH /users/me")
        fill(page, email_password=PASSWORD)
        page.get_by_role("button", name="Send the mail").click()
        expect(page.locator("[data-pending-email]")).to_have_text(new)
        expect(page.locator("[data-email]")).to_have_text(email)
        link(email, "Your address is to be changed")
        page.goto(link(new, "Confirm your new address"))
        page.get_by_role("button", name="Confirm the address").click()
        expect(page.locator("[data-address]")).to_have_text(new)
        page.goto("/account")
        expect(page.locator("[data-email]")).to_have_text(new)
        expect(page.locator("[data-pending-email]")).to_be_hidden()

    def test_keeping_the_address(self, page: Page, email: str) -> None:
        page.get_by_text("Change the address").click()
        fill(page, new_email=new_address(), email_password=PASSWORD)
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Keep the current address").click()
        expect(page.locator("[data-pending-email]")).to_be_hidden()
        expect(page.locator("[data-email]")).to_have_text(email)

    def test_password(self, visit: Visiting, page: Page, email: str) -> None:
        other = visit()
        elsewhere = other.page("/")
        log_in(elsewhere, email)
        at_account(elsewhere)
        page.get_by_text("Change the password").click()
        fill(page, current_password=PASSWORD, new_password="a new password")
        page.get_by_role("button", name="Set the password").click()
        expect(page.get_by_text("Your new password is set")).to_be_visible()
        expect(page.locator("[data-sessions] li")).to_have_count(1)
        elsewhere.reload()
        expect(elsewhere).to_have_url(re.compile("/login"))
        other.expect("401 GET /users/me")
        log_in(elsewhere, email, "a new password")
        at_account(elsewhere)

    def test_sessions(self, visit: Visiting, server: Server, page: Page, email: str) -> None:
        headers = {"user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0) Version/19.0 Safari/604.1"}
        form = {"username": email, "password": PASSWORD}
        for _ in range(2):
            httpx2.post(f"{server.url}/auth/jwt/login", data=form, headers=headers).raise_for_status()
        other = visit()
        elsewhere = other.page("/")
        log_in(elsewhere, email)
        at_account(elsewhere)
        page.reload()
        rows = page.locator("[data-sessions] li")
        expect(rows).to_have_count(4)
        expect(rows.first).to_contain_text("this device")
        page.get_by_role("button", name="Log out Safari on iPhone").first.click()
        expect(rows).to_have_count(3)
        page.get_by_role("button", name="Log out all others").click()
        expect(rows).to_have_count(1)
        expect(page.get_by_text("All other devices were logged out.")).to_be_visible()
        elsewhere.reload()
        expect(elsewhere).to_have_url(re.compile("/login"))
        other.expect("401 GET /users/me")

    def test_fits_a_phone(self, page: Page) -> None:
        """Nothing is wider than the screen, and every field has a label."""
        page.set_viewport_size({"width": 360, "height": 700})
        for path in ("/login", "/signup", "/forgot-password", "/account"):
            page.goto(path)
            page.locator("form").first.wait_for()
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
            for field in page.locator("input:not([hidden])").all():
                name = field.get_attribute("id")
                assert page.locator(f"label[for='{name}']").count() == 1, (path, name)
