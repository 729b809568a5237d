// Everything here is a comfort: each page works without it. ECMAScript 5, so that no engine stumbles over reading it.
(function () {
  'use strict';

  function each(selector, work) {
    Array.prototype.forEach.call(document.querySelectorAll(selector), work);
  }

  each('.with-toggle > input', function (input) {
    var button = document.createElement('button');
    button.type = 'button';
    button.className = 'toggle';
    function draw(visible) {
      input.type = visible ? 'text' : 'password';
      button.textContent = input.getAttribute(visible ? 'data-hide' : 'data-show');
      button.setAttribute('aria-label', input.getAttribute(visible ? 'data-hide-label' : 'data-show-label'));
    }
    draw(false);
    button.addEventListener('click', function () {
      draw(input.type === 'password');
    });
    // A visible password must not be offered as form history.
    if (input.form)
      input.form.addEventListener('submit', function () {
        draw(false);
      });
    input.parentNode.insertBefore(button, input.nextSibling);
    input.parentNode.classList.add('ready');
  });

  // How much of the length that the rule asks for is typed; whether the password is a good one only the server knows.
  each('input[minlength]', function (input) {
    var rule = document.getElementById('rule');
    if (!rule) return;
    var bar = document.createElement('progress');
    bar.className = 'reach';
    bar.max = Number(input.getAttribute('minlength'));
    bar.setAttribute('aria-hidden', 'true');
    function draw() {
      var length = input.value.replace(/[\uD800-\uDBFF][\uDC00-\uDFFF]/g, '.').length;
      bar.value = Math.min(length, bar.max);
      bar.hidden = length === 0;
      bar.className = length < bar.max ? 'reach' : 'reach met';
    }
    input.addEventListener('input', draw);
    draw();
    rule.parentNode.insertBefore(bar, rule);
  });

  each('.code-input', function (input) {
    input.addEventListener('paste', function (event) {
      var text = event.clipboardData ? event.clipboardData.getData('text') : '';
      var digits = text.replace(/\D/g, '');
      if (digits.length !== 6) return;
      event.preventDefault();
      input.value = digits;
    });
  });

  // The buttons stay enabled: a disabled one would not send its name and value.
  document.addEventListener('submit', function (event) {
    var form = event.target;
    if (form.hasAttribute('data-stays')) return;
    if (form.getAttribute('aria-busy') === 'true') event.preventDefault();
    else form.setAttribute('aria-busy', 'true');
  });
  window.addEventListener('pageshow', function () {
    each('form[aria-busy]', function (form) {
      form.removeAttribute('aria-busy');
    });
  });
})();
