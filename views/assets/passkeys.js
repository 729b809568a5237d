// Asks the browser for a passkey and sends what it answers in the form around the button. Without it, or in a browser
// that knows no passkeys, the form stays hidden. ECMAScript 5; every sentence comes from the page.
(function () {
  'use strict';
  if (!window.PublicKeyCredential || !window.AbortController || !navigator.credentials) return;
  var waiting = null;

  function bytes(text) {
    var raw = atob(text.replace(/-/g, '+').replace(/_/g, '/'));
    var out = new Uint8Array(raw.length);
    for (var i = 0; i < raw.length; i += 1) out[i] = raw.charCodeAt(i);
    return out;
  }

  function text(buffer) {
    var raw = '';
    var all = new Uint8Array(buffer);
    for (var i = 0; i < all.length; i += 1) raw += String.fromCharCode(all[i]);
    return btoa(raw).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  }

  function optionsOf(form) {
    var options = JSON.parse(form.getAttribute('data-options'));
    options.challenge = bytes(options.challenge);
    if (options.user) options.user.id = bytes(options.user.id);
    ['allowCredentials', 'excludeCredentials'].forEach(function (name) {
      (options[name] || []).forEach(function (one) {
        one.id = bytes(one.id);
      });
    });
    return options;
  }

  function send(form, credential) {
    var answer = credential.response;
    var response = { clientDataJSON: text(answer.clientDataJSON) };
    ['authenticatorData', 'signature', 'userHandle', 'attestationObject'].forEach(function (name) {
      if (answer[name]) response[name] = text(answer[name]);
    });
    if (answer.attestationObject) response.transports = answer.getTransports ? answer.getTransports() : [];
    var sent = { id: credential.id, rawId: credential.id, type: credential.type, response: response };
    form.elements.credential.value = JSON.stringify(sent);
    form.submit();
  }

  function tell(form, error) {
    var name = error && error.name === 'InvalidStateError' ? 'data-known' : 'data-cancelled';
    var note = form.querySelector('.note');
    note.querySelector('span').textContent = form.getAttribute(name) || form.getAttribute('data-cancelled');
    note.hidden = false;
  }

  function ask(form, mediation) {
    if (waiting) waiting.abort();
    var mine = new AbortController();
    waiting = mine;
    var request = { publicKey: optionsOf(form), signal: mine.signal };
    if (mediation) request.mediation = mediation;
    var make = form.getAttribute('data-passkey') === 'create';
    return (make ? navigator.credentials.create(request) : navigator.credentials.get(request)).then(function (found) {
      send(form, found);
    });
  }

  // Tells the server that it makes sense to offer a passkey here. Nothing else hangs on it.
  if (PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable)
    PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable().then(function (can) {
      var safe = location.protocol === 'https:';
      if (can) document.cookie = (safe ? '__Host-' : '') + 'lk_webauthn=1; path=/; samesite=lax' + (safe ? '; secure' : '');
    });

  Array.prototype.forEach.call(document.querySelectorAll('form[data-passkey]'), function (form) {
    form.hidden = false;
    form.addEventListener('submit', function (event) {
      // Sent when there is something to send; `submit()` comes past here no more.
      event.preventDefault();
      event.stopPropagation();
      form.querySelector('.note').hidden = true;
      ask(form).catch(function (error) {
        tell(form, error);
      });
    });
    // Autofill: the browser offers passkeys beside addresses, and says nothing when there are none.
    if (!form.hasAttribute('data-autofill') || !PublicKeyCredential.isConditionalMediationAvailable) return;
    PublicKeyCredential.isConditionalMediationAvailable().then(function (available) {
      if (available) ask(form, 'conditional').catch(function () {});
    });
  });
})();
